// Command nchan starts nginx with the module nchan in the foreground: a server of event streams in
// C, which is not an MCP server. GET /mcp with Accept: text/event-stream subscribes, and POST /mcp
// or /change publishes its content to all subscribers.
//
// It writes the configuration, prints the pid of nginx's master when nginx serves, and passes
// SIGTERM on as SIGQUIT, which ends nginx gracefully. Its memory is that of the workers, the
// children of the master.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "address to serve on")
	timeout := flag.Duration("shutdown-timeout", 10*time.Second, "time that streams have to end after SIGTERM")
	workers := flag.String("workers", "auto", "number of worker processes")
	flag.Parse()
	dir, err := os.MkdirTemp("", "nchan-*")
	if err != nil {
		log.Fatal(err)
	}
	err = run(dir, *listen, *workers, *timeout)
	if rm := os.RemoveAll(dir); err == nil {
		err = rm
	}
	if err != nil {
		log.Fatal(err)
	}
}

// run serves with files in dir until SIGTERM or SIGINT.
func run(dir, listen, workers string, timeout time.Duration) error {
	nginx, err := find()
	if err != nil {
		return err
	}
	// The workers do not run as root.
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	text, err := config(dir, listen, workers, timeout)
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	errorLog := filepath.Join(dir, "error.log")
	cmd := exec.Command(nginx, "-e", errorLog, "-p", dir, "-c", file)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = ownGroup()
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	if err := ready(ctx, "http://"+listen+"/healthz", ended); err != nil {
		_ = cmd.Process.Kill()
		said, _ := os.ReadFile(errorLog)
		return fmt.Errorf("nginx: %w: %s", err, said)
	}
	fmt.Printf("listening on http://%s/mcp pid %d\n", listen, cmd.Process.Pid)
	select {
	case err := <-ended:
		return fmt.Errorf("nginx ended: %w", err)
	case <-ctx.Done():
	}
	stop() // a second signal ends the process at once
	return end(cmd.Process, ended, timeout)
}

// find returns the path of nginx, which Debian installs in a directory that is only on root's PATH.
func find() (string, error) {
	if _, err := os.Stat(module); err != nil {
		return "", fmt.Errorf("nchan is not installed: apt-get install nginx libnginx-mod-nchan (%w)", err)
	}
	for _, name := range []string{"nginx", "/usr/sbin/nginx"} {
		if file, err := exec.LookPath(name); err == nil {
			return file, nil
		}
	}
	return "", errors.New("nginx is not installed: apt-get install nginx libnginx-mod-nchan")
}

// ready waits until url answers, for ten seconds at most.
func ready(ctx context.Context, url string, ended chan error) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	req.Close = true
	for {
		res, err := http.DefaultClient.Do(req)
		if err == nil {
			return res.Body.Close()
		}
		select {
		case err := <-ended:
			return fmt.Errorf("exited: %w", err)
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// end ends nginx with SIGQUIT, and with SIGTERM if worker_shutdown_timeout did not end its workers.
func end(master *os.Process, ended chan error, timeout time.Duration) error {
	for _, step := range []struct {
		sig  os.Signal
		wait time.Duration
	}{{syscall.SIGQUIT, timeout + 2*time.Second}, {syscall.SIGTERM, 5 * time.Second}, {syscall.SIGKILL, 5 * time.Second}} {
		if err := master.Signal(step.sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return err
		}
		select {
		case err := <-ended:
			return err
		case <-time.After(step.wait):
		}
	}
	return errors.New("nginx does not exit")
}
