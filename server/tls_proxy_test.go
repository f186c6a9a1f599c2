//go:build linux

package server_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/server"
)

// Behind a proxy of Options.ProxyProtocol, the header comes before the handshake.
func TestServeTLSBehindProxy(t *testing.T) {
	other := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.RemoteAddr) })
	s := serveTLS(t, &server.Options{Other: other, ProxyProtocol: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	ask := func(header string) (string, error) {
		nc, err := net.Dial("tcp", s.secureAddr)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		_ = nc.SetDeadline(time.Now().Add(10 * time.Second))
		fmt.Fprint(nc, header)
		c := tls.Client(nc, s.config)
		if _, err := fmt.Fprint(c, "GET /where HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); err != nil {
			return "", err
		}
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			return "", err
		}
		b, err := io.ReadAll(res.Body)
		return string(b), err
	}
	if got, err := ask("PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\r\n"); err != nil || got != "192.0.2.7:4711" {
		t.Errorf("RemoteAddr %q, %v", got, err)
	}
	if got, err := ask(""); err == nil {
		t.Errorf("without a header: %q", got)
	}
	await(t, "the refusal is counted", func() bool { return s.Stats().Refusals["proxy"] == 1 })
	s.wantEmpty()
}
