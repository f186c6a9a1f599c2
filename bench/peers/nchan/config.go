package main

import (
	"fmt"
	"os"
	"syscall"
	"time"
)

// module is where Debian's libnginx-mod-nchan installs it.
const module = "/usr/lib/nginx/modules/ngx_nchan_module.so"

// config returns the configuration. A worker may have as many descriptors and connections as this
// process. Where README.md names no advice, nginx and nchan keep their defaults.
func config(dir, listen, workers string, timeout time.Duration) (string, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return "", err
	}
	files := min(limit.Max, 1<<20)
	user := ""
	if os.Getuid() == 0 {
		user = "user www-data;"
	}
	return fmt.Sprintf(`load_module %[1]s;
%[2]s
daemon off;
worker_processes %[3]s;
worker_rlimit_nofile %[4]d;
worker_shutdown_timeout %[5]ds;
pid %[6]s/nginx.pid;
error_log %[6]s/error.log;
events {
	worker_connections %[7]d;
}
http {
	access_log off;
	default_type application/json;
	client_body_temp_path %[6]s/body;
	proxy_temp_path %[6]s/proxy;
	fastcgi_temp_path %[6]s/fastcgi;
	uwsgi_temp_path %[6]s/uwsgi;
	scgi_temp_path %[6]s/scgi;
	server {
		listen %[8]s backlog=65535;
		location = /mcp {
			nchan_pubsub http eventsource;
			nchan_channel_id tools;
			nchan_subscriber_first_message newest;
		}
		location = /change {
			nchan_publisher http;
			nchan_channel_id tools;
		}
		location = /healthz {
			default_type text/plain;
			return 200 "ok\n";
		}
	}
}
`, module, user, workers, files, max(1, int(timeout.Seconds())), dir, files-64, listen), nil
}
