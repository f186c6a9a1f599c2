package certs_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/server/certs"
)

// New certificates are in use at once, while clients connect all the time, and connections that are
// open stay.
func TestRotationUnderLoad(t *testing.T) {
	dir, ca := t.TempDir(), newAuthority(t, "servers")
	write := func(serial int64) certs.Pair { return ca.write(t, dir, "server", serial, "localhost") }
	set, _ := open(t, certs.Options{Pairs: []certs.Pair{write(1)}, Interval: time.Millisecond})
	addr := serve(t, set)
	old := dial(t, addr, &tls.Config{RootCAs: ca.pool, ServerName: "localhost"})
	var done atomic.Bool
	var latest atomic.Int64
	var clients sync.WaitGroup
	var handshakes atomic.Int64
	for range 4 {
		clients.Go(func() {
			for !done.Load() {
				atLeast := latest.Load()
				c, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: ca.pool, ServerName: "localhost"})
				if err != nil {
					t.Errorf("a handshake failed: %v", err)
					return
				}
				if got := serialOf(c); got < atLeast {
					t.Errorf("got certificate %d after %d", got, atLeast)
				}
				echo(t, c)
				handshakes.Add(1)
				_ = c.Close()
			}
		})
	}
	for serial := int64(2); serial <= 20; serial++ {
		write(serial)
		await(t, "the new certificate is in use", func() bool {
			c := dial(t, addr, &tls.Config{RootCAs: ca.pool, ServerName: "localhost"})
			defer c.Close()
			return serialOf(c) == serial
		})
		latest.Store(serial)
	}
	done.Store(true)
	clients.Wait()
	echo(t, old)
	if serialOf(old) != 1 || handshakes.Load() < 20 {
		t.Errorf("%d handshakes; the first had %d", handshakes.Load(), serialOf(old))
	}
}

// The name that the client asks for decides, then the order.
func TestNames(t *testing.T) {
	dir, ca := t.TempDir(), newAuthority(t, "servers")
	set, _ := open(t, certs.Options{Pairs: []certs.Pair{
		ca.write(t, dir, "first", 1, "first.example"),
		ca.write(t, dir, "second", 2, "second.example"),
		ca.write(t, dir, "any", 3, "*.any.example"),
	}})
	addr := serve(t, set)
	for name, want := range map[string]int64{
		"first.example": 1, "second.example": 2, "SECOND.example": 2, "x.any.example": 3,
		"unknown.example": 1, "x.y.any.example": 1, "": 1,
	} {
		c := dial(t, addr, &tls.Config{InsecureSkipVerify: true, ServerName: name}) //nolint:gosec // the choice is tested
		if got := serialOf(c); got != want {
			t.Errorf("%q: got certificate %d, want %d", name, got, want)
		}
		if p := c.ConnectionState().Version; p != tls.VersionTLS13 {
			t.Errorf("%q: %s", name, tls.VersionName(p))
		}
		_ = c.Close()
	}
}

// A client must have a certificate of an authority in the file, and a change of the file counts.
func TestClientCertificates(t *testing.T) {
	dir, ca, clients, others := t.TempDir(), newAuthority(t, "servers"), newAuthority(t, "clients"), newAuthority(t, "others")
	file := filepath.Join(dir, "clients.pem")
	clients.writeSelf(t, file)
	o := certs.Options{Pairs: []certs.Pair{ca.write(t, dir, "server", 1, "localhost")}, ClientCA: file, Interval: time.Millisecond}
	set, _ := open(t, o)
	addr := serve(t, set)
	sessions := tls.NewLRUClientSessionCache(10)
	try := func(from *authority) error {
		config := &tls.Config{RootCAs: ca.pool, ServerName: "localhost", ClientSessionCache: sessions}
		if from != nil {
			cert := from.issue(t, 9, "client")
			config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				return &cert, nil // whichever authorities the server names
			}
		}
		c, err := tls.Dial("tcp", addr, config)
		if err != nil {
			return err
		}
		defer c.Close()
		return tryEcho(c)
	}
	if err := try(clients); err != nil {
		t.Errorf("a client with a certificate: %v", err)
	}
	if try(nil) == nil || try(others) == nil {
		t.Error("a client without a valid certificate was served")
	}
	others.writeSelf(t, file)
	await(t, "the other authority counts", func() bool { return try(others) == nil })
	if try(clients) == nil {
		t.Error("a client of the authority that was removed is served")
	}
	o.ClientAuth = tls.VerifyClientCertIfGiven
	set, _ = open(t, o)
	addr = serve(t, set)
	if err := try(nil); err != nil {
		t.Errorf("a client without a certificate, where that is allowed: %v", err)
	}
	if try(clients) == nil {
		t.Error("a client with a foreign certificate was served")
	}
}

// What is not valid changes nothing and is logged once, and what follows is seen.
func TestBadFiles(t *testing.T) {
	dir, ca := t.TempDir(), newAuthority(t, "servers")
	pair := ca.write(t, dir, "server", 1, "localhost")
	set, logged := open(t, certs.Options{Pairs: []certs.Pair{pair}, Interval: time.Millisecond})
	addr := serve(t, set)
	serial := func() int64 {
		c := dial(t, addr, &tls.Config{RootCAs: ca.pool, ServerName: "localhost"})
		defer c.Close()
		return serialOf(c)
	}
	other := ca.write(t, t.TempDir(), "other", 5, "localhost")
	key := read(t, other.Key)
	for name, spoil := range map[string]func(){
		"another key":  func() { replace(t, pair.Key, key) },
		"half a file":  func() { replace(t, pair.Cert, read(t, pair.Cert)[:200]) },
		"no file":      func() { _ = os.Remove(pair.Key) },
		"an empty one": func() { replace(t, pair.Cert, nil) },
		"a large one":  func() { replace(t, pair.Cert, make([]byte, 5<<20)) },
	} {
		logged.reset()
		spoil()
		await(t, name, func() bool { return serial() == 1 && strings.Contains(logged.String(), "not valid") })
		for range 5 {
			time.Sleep(2 * time.Millisecond)
			if got := serial(); got != 1 {
				t.Fatalf("%s: got certificate %d", name, got)
			}
		}
		if n := strings.Count(logged.String(), "not valid"); n != 1 {
			t.Errorf("%s: logged %d times: %s", name, n, logged)
		}
		if strings.Contains(logged.String(), "PRIVATE") {
			t.Errorf("logged: %s", logged)
		}
		if err := set.Reload(); err == nil {
			t.Errorf("%s: Reload returned no error", name)
		}
		ca.write(t, dir, "server", 1, "localhost")
		await(t, "the files are valid again", func() bool { serial(); return set.Reload() == nil })
	}
	ca.write(t, dir, "server", 2, "localhost")
	await(t, "the next certificate is in use", func() bool { return serial() == 2 })
}

// Without looks only Reload reads the files.
func TestReload(t *testing.T) {
	dir, ca := t.TempDir(), newAuthority(t, "servers")
	pair := ca.write(t, dir, "server", 1, "localhost")
	set, _ := open(t, certs.Options{Pairs: []certs.Pair{pair}, Interval: -1})
	addr := serve(t, set)
	for _, want := range []int64{1, 2} {
		c := dial(t, addr, &tls.Config{RootCAs: ca.pool, ServerName: "localhost"})
		if got := serialOf(c); got != want {
			t.Errorf("got certificate %d, want %d", got, want)
		}
		_ = c.Close()
		ca.write(t, dir, "server", 2, "localhost")
		if want == 1 {
			c := dial(t, addr, &tls.Config{RootCAs: ca.pool, ServerName: "localhost"})
			if got := serialOf(c); got != 1 {
				t.Errorf("got certificate %d without Reload", got)
			}
			_ = c.Close()
		}
		if err := set.Reload(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	dir, ca := t.TempDir(), newAuthority(t, "servers")
	pair := ca.write(t, dir, "server", 1, "localhost")
	empty := filepath.Join(dir, "empty")
	replace(t, empty, nil)
	for name, o := range map[string]certs.Options{
		"no pair":         {},
		"no file":         {Pairs: []certs.Pair{{Cert: pair.Cert, Key: filepath.Join(dir, "none")}}},
		"no authority":    {Pairs: []certs.Pair{pair}, ClientCA: empty},
		"no ClientCA":     {Pairs: []certs.Pair{pair}, ClientAuth: tls.RequireAndVerifyClientCert},
		"no verification": {Pairs: []certs.Pair{pair}, ClientCA: pair.Cert, ClientAuth: tls.RequireAnyClientCert},
	} {
		if _, err := certs.Open(o); err == nil || !strings.HasPrefix(err.Error(), "certs: ") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// open opens a Set whose log is returned.
func open(t *testing.T, o certs.Options) (*certs.Set, *logText) {
	t.Helper()
	l := new(logText)
	o.Logger = slog.New(slog.NewTextHandler(l, nil))
	set, err := certs.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return set, l
}

// serve returns the address of a server that sends back what it gets.
func serve(t *testing.T, set *certs.Set) string {
	l, err := tls.Listen("tcp", "127.0.0.1:0", set.Config())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func(c net.Conn) {
				defer c.Close()
				_, _ = io.Copy(c, c)
			}(c)
		}
	}()
	return l.Addr().String()
}

func dial(t *testing.T, addr string, config *tls.Config) *tls.Conn {
	t.Helper()
	c, err := tls.Dial("tcp", addr, config)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func echo(t *testing.T, c *tls.Conn) {
	t.Helper()
	if err := tryEcho(c); err != nil {
		t.Error(err)
	}
}

func tryEcho(c *tls.Conn) error {
	if _, err := io.WriteString(c, "hello"); err != nil {
		return err
	}
	_, err := io.ReadFull(c, make([]byte, 5))
	return err
}

func serialOf(c *tls.Conn) int64 {
	return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

func await(t *testing.T, why string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("did not happen: %s", why)
		}
	}
}

// log holds what a Set logs.
type logText struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logText) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b.Reset()
}
