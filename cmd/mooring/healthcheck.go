package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

const healthTimeout = 5 * time.Second

// defaultHealthURL returns the target for a server that listens on the first of addrs, which is a
// list as in MOORING_LISTEN. An address that stands for all of the machine is reached on loopback.
func defaultHealthURL(addrs string) string {
	addr, _, _ := strings.Cut(addrs, ",")
	if strings.HasPrefix(addr, "unix:") {
		return addr
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		host, port = "127.0.0.1", "8080"
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port) + "/healthz"
}

func newHealthcheck() *cobra.Command {
	var target string
	cmd := &cobra.Command{
		Use:   "healthcheck",
		Short: "Check that a server is healthy",
		Long: "Check that a server is healthy. The exit code is 0 if the server answers a health check with 200 within 5 s, and 1 otherwise.\n\n" +
			"Containers use this as their HEALTHCHECK, because an image of Mooring contains no other program.",
		Example: "  mooring healthcheck --url http://127.0.0.1:8080/readyz\n  mooring healthcheck --url unix:/run/mooring.sock",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), healthTimeout)
			defer cancel()
			return checkHealth(ctx, target)
		},
	}
	cmd.Flags().StringVar(&target, "url", defaultHealthURL(os.Getenv("MOORING_LISTEN")), "`URL` to get, or unix:/path for /healthz on a unix socket; by default of the first address in MOORING_LISTEN")
	return cmd
}

// checkHealth returns nil if a GET of target returns 200. The target unix:/path means /healthz of
// the server on that socket.
func checkHealth(ctx context.Context, target string) error {
	// Proxy settings in the environment are ignored, because a proxy cannot reach the loopback
	// address of this machine.
	transport := &http.Transport{DisableKeepAlives: true}
	link := target
	if socket, ok := strings.CutPrefix(target, "unix:"); ok {
		link = "http://localhost/healthz"
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		}
	} else if u, err := url.Parse(target); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("url: %q is neither an http or https URL nor unix:/path", target)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, link, nil)
	if err != nil {
		return fmt.Errorf("url: %w", err)
	}
	client := &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("unhealthy: %w", err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("unhealthy: %s returned %s", target, resp.Status)
	}
	return nil
}
