package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// startProxy starts nginx or haproxy as a child process, with its files in dir, listening on addr
// in front of the server at upstream.
func startProxy(kind, dir, addr, upstream string) (*process, error) {
	bin, err := exec.LookPath(kind)
	if err != nil {
		// Debian installs both in a directory that is only on root's PATH.
		if bin, err = exec.LookPath("/usr/sbin/" + kind); err != nil {
			return nil, fmt.Errorf("%s is not installed (apt-get install %s)", kind, kind)
		}
	}
	file := filepath.Join(dir, kind+".conf")
	if kind == "nginx" {
		if err := os.WriteFile(file, []byte(nginxConfig(dir, addr, upstream)), 0o600); err != nil {
			return nil, err
		}
		return start(kind, addr, bin, "-e", filepath.Join(dir, "nginx.log"), "-p", dir, "-c", file)
	}
	if err := os.WriteFile(file, []byte(haproxyConfig(dir, addr, upstream)), 0o600); err != nil {
		return nil, err
	}
	return start(kind, addr, bin, "-db", "-f", file)
}

// nginxConfig is what an operator needs in front of the server: HTTP/1.1 with persistent
// connections, and responses that are not buffered.
func nginxConfig(dir, addr, upstream string) string {
	user := ""
	if os.Getuid() == 0 {
		user = "user root;\n" // its temporary files are in a directory that only root can access
	}
	return user + fmt.Sprintf(`daemon off;
worker_processes 2;
worker_rlimit_nofile 8192;
pid %[1]s/nginx.pid;
error_log %[1]s/nginx.log;
events { worker_connections 4096; }
http {
	access_log off;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	upstream mooring {
		server %[3]s;
		keepalive 64;
	}
	server {
		listen %[2]s;
		location / {
			proxy_pass http://mooring;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_set_header Host $http_host;
			proxy_buffering off;
			proxy_read_timeout 1h;
		}
	}
}
`, dir, addr, upstream)
}

// haproxyConfig is the same for HAProxy. Without abortonclose it would keep a stream whose client
// has disconnected, and without http-no-delay it would hold back the head of a stream for 200 ms,
// waiting for more data to send with it.
func haproxyConfig(dir, addr, upstream string) string {
	return fmt.Sprintf(`global
	maxconn 4096
	nbthread 2
	pidfile %[1]s/haproxy.pid
defaults
	mode http
	timeout connect 5s
	timeout client 1h
	timeout server 1h
	option abortonclose
	option http-no-delay
	http-reuse always
frontend front
	bind %[2]s
	default_backend mooring
backend mooring
	server mooring %[3]s
`, dir, addr, upstream)
}
