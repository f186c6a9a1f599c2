package auth_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/auth"
)

func writeTokens(t *testing.T, path, content string) {
	t.Helper()
	next := path + ".next"
	if err := os.WriteFile(next, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, path); err != nil {
		t.Fatal(err)
	}
}

func TestTokenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	writeTokens(t, path, "# keys\r\n\nann "+auth.HashToken("one")+" read\twrite\nbob\t"+
		strings.Replace(strings.ToUpper(auth.HashToken("two")), "SHA256", "sha256", 1)+"\nann "+auth.HashToken("three"))
	f, err := auth.NewTokenFile(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for token, want := range map[string]string{"one": "ann [read write]", "two": "bob []", "three": "ann []"} {
		info, err := f.Verify(t.Context(), token, nil)
		if err != nil {
			t.Fatalf("%s: %v", token, err)
		}
		if got := fmt.Sprint(info.UserID, " ", info.Scopes); got != want {
			t.Errorf("%s: got %s, want %s", token, got, want)
		}
	}
	for _, token := range []string{"", "On", "ann", "four", auth.HashToken("one"), strings.Repeat("x", 1<<16)} {
		if info, err := f.Verify(t.Context(), token, nil); !errors.Is(err, auth.ErrInvalidToken) || info != nil {
			t.Errorf("%.20q: got %v, %v", token, info, err)
		}
	}
}

func TestTokenFileErrors(t *testing.T) {
	good := "ann " + auth.HashToken("secret") + "\n"
	for name, content := range map[string]string{
		"no hash":          "ann\n",
		"plain token":      "ann secret\n",
		"other hash":       "ann md5:5ebe2294ecd0e0f08eab7690d2a6ee69\n",
		"short hash":       "ann sha256:5ebe2294\n",
		"not hexadecimal":  "ann sha256:" + strings.Repeat("g", 64) + "\n",
		"twice":            good + "bob " + auth.HashToken("secret") + "\n",
		"control in name":  "a\x01nn " + auth.HashToken("secret") + "\n",
		"invalid UTF-8":    "a\xffnn " + auth.HashToken("secret") + "\n",
		"control in scope": "ann " + auth.HashToken("secret") + " a\x7f\n",
		"too many":         good + "bob " + auth.HashToken("b") + "\ncy " + auth.HashToken("c") + "\n",
		"too large":        strings.Repeat("#", 1001),
	} {
		path := filepath.Join(t.TempDir(), "tokens")
		writeTokens(t, path, content)
		_, err := auth.NewTokenFile(path, &auth.TokenFileOptions{MaxTokens: 2, MaxBytes: 1000})
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got error %v", name, err)
		}
	}
	if _, err := auth.NewTokenFile(filepath.Join(t.TempDir(), "none"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: got %v", err)
	}
	if _, err := auth.NewTokenFile(t.TempDir(), nil); err == nil {
		t.Error("a folder is accepted")
	}
}

func TestTokenFileReload(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	writeTokens(t, path, "ann "+auth.HashToken("old"))
	var log syncBuffer
	f, err := auth.NewTokenFile(path, &auth.TokenFileOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	valid := func(token string) bool {
		_, err := f.Verify(context.Background(), token, nil)
		return err == nil
	}
	await := func(what string, cond func() bool) {
		t.Helper()
		for end := time.Now().Add(5 * time.Second); !cond(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("not within 5 s: %s; log:\n%s", what, log.String())
			}
		}
	}
	// A change of the same size right after the first, which the modification time may not show.
	writeTokens(t, path, "bob "+auth.HashToken("new"))
	await("the new token", func() bool { return valid("new") })
	if valid("old") {
		t.Error("a removed token is valid")
	}
	writeTokens(t, path, "bob no-hash")
	await("an error in the log", func() bool { return valid("new") && strings.Contains(log.String(), "cannot be used") })
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	await("the missing file in the log", func() bool { return valid("new") && strings.Contains(log.String(), "no such file") })
	writeTokens(t, path, "bob "+auth.HashToken("third"))
	await("the third token", func() bool { return valid("third") && !valid("new") })
	if n := strings.Count(log.String(), "cannot be used"); n != 2 {
		t.Errorf("%d log lines about errors, want 2:\n%s", n, log.String())
	}
}

// syncBuffer is a bytes.Buffer for several goroutines.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func TestChain(t *testing.T) {
	says := func(user string, err error) auth.TokenVerifier {
		return func(context.Context, string, *http.Request) (*auth.TokenInfo, error) {
			if err != nil || user == "" {
				return nil, err
			}
			return &auth.TokenInfo{UserID: user}, nil
		}
	}
	invalid := says("", fmt.Errorf("%w: here", auth.ErrInvalidToken))
	away := says("", fmt.Errorf("%w: here", auth.ErrUnavailable))
	other := errors.New("other")
	for name, tt := range map[string]struct {
		chain []auth.TokenVerifier
		user  string
		err   error
	}{
		"none":                   {nil, "", auth.ErrInvalidToken},
		"first":                  {[]auth.TokenVerifier{says("a", nil), says("b", nil)}, "a", nil},
		"second":                 {[]auth.TokenVerifier{invalid, says("b", nil)}, "b", nil},
		"second, first is away":  {[]auth.TokenVerifier{away, says("b", nil)}, "b", nil},
		"nobody":                 {[]auth.TokenVerifier{invalid, invalid}, "", auth.ErrInvalidToken},
		"nobody, first is away":  {[]auth.TokenVerifier{away, invalid}, "", auth.ErrUnavailable},
		"nobody, second is away": {[]auth.TokenVerifier{invalid, away}, "", auth.ErrUnavailable},
		"another error":          {[]auth.TokenVerifier{away, says("", other), says("b", nil)}, "", other},
	} {
		info, err := auth.Chain(tt.chain...)(t.Context(), "x", nil)
		if !errors.Is(err, tt.err) || (info == nil) != (tt.user == "") || info != nil && info.UserID != tt.user {
			t.Errorf("%s: got %v, %v", name, info, err)
		}
	}
	if info, err := auth.Chain(says("", nil), says("b", nil))(t.Context(), "x", nil); err == nil || info != nil {
		t.Errorf("neither info nor error: got %v, %v", info, err)
	}
	defer func() {
		if recover() == nil {
			t.Error("a nil verifier does not panic")
		}
	}()
	auth.Chain(nil)
}

// clientCertificate returns a self-signed certificate.
func clientCertificate(t *testing.T, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ann", Organization: []string{"harbour"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		URIs:     []*url.URL{{Scheme: "spiffe", Host: "harbour", Path: "/ann"}},
		DNSNames: []string{"ann.example.com", "other.example.com"}, EmailAddresses: []string{"ann@example.com"},
		IsCA: true, BasicConstraintsValid: true,
	}
	if change != nil {
		change(cert)
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func TestCertificateSubject(t *testing.T) {
	good := clientCertificate(t, nil).Leaf
	for name, want := range map[auth.CertificateName]string{
		auth.SubjectCommonName: "ann", auth.FirstURI: "spiffe://harbour/ann", auth.FirstDNS: "ann.example.com", auth.FirstEmail: "ann@example.com",
	} {
		info, err := auth.CertificateSubject(&auth.CertificateOptions{Name: name, Scopes: []string{"s"}})([]*x509.Certificate{good})
		if err != nil || info.UserID != want || info.Issuer != "CN=ann,O=harbour" || len(info.Scopes) != 1 || !info.Expiration.Equal(good.NotAfter) {
			t.Errorf("name %d: got %+v, %v", name, info, err)
		}
	}
	info, err := auth.CertificateSubject(&auth.CertificateOptions{Issuer: "fleet"})([]*x509.Certificate{good})
	if err != nil || info.Issuer != "fleet" || len(info.Extra["x5t#S256"].(string)) != 43 {
		t.Errorf("got %+v, %v", info, err)
	}
	for what, chain := range map[string][]*x509.Certificate{
		"none":    nil,
		"nil":     {nil},
		"no name": {clientCertificate(t, func(c *x509.Certificate) { c.Subject.CommonName = "" }).Leaf},
		"control": {clientCertificate(t, func(c *x509.Certificate) { c.Subject.CommonName = "ann\nbob" }).Leaf},
		"long":    {clientCertificate(t, func(c *x509.Certificate) { c.Subject.CommonName = strings.Repeat("a", 2000) }).Leaf},
		"expired": {clientCertificate(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }).Leaf},
		"early":   {clientCertificate(t, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }).Leaf},
	} {
		if info, err := auth.CertificateSubject(nil)(chain); !errors.Is(err, auth.ErrInvalidToken) || info != nil {
			t.Errorf("%s: got %+v, %v", what, info, err)
		}
	}
}

// TestCertificateOfRequest verifies certificates over TLS: only those that the server has verified
// count.
func TestCertificateOfRequest(t *testing.T) {
	cert := clientCertificate(t, nil)
	for what, tt := range map[string]struct {
		mode tls.ClientAuthType
		send bool
		want string
	}{
		"verified":     {tls.RequireAndVerifyClientCert, true, "ann"},
		"optional":     {tls.VerifyClientCertIfGiven, false, "401"},
		"not verified": {tls.RequireAnyClientCert, true, "401"},
	} {
		verify := auth.CertificateSubject(nil)
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			info, err := verify.VerifyRequest(r)
			if errors.Is(err, auth.ErrInvalidToken) {
				fmt.Fprint(w, "401")
				return
			}
			fmt.Fprint(w, info.UserID)
		}))
		pool := x509.NewCertPool()
		pool.AddCert(cert.Leaf)
		srv.TLS = &tls.Config{ClientAuth: tt.mode, ClientCAs: pool}
		srv.StartTLS()
		client := srv.Client()
		if tt.send {
			client.Transport.(*http.Transport).TLSClientConfig.Certificates = []tls.Certificate{cert}
		}
		resp, err := client.Get(srv.URL)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		var body bytes.Buffer
		_, _ = body.ReadFrom(resp.Body)
		resp.Body.Close()
		srv.Close()
		if body.String() != tt.want {
			t.Errorf("%s: got %q, want %q", what, body.String(), tt.want)
		}
	}
	if _, err := auth.CertificateSubject(nil).VerifyRequest(httptest.NewRequest("GET", "/", nil)); !errors.Is(err, auth.ErrInvalidToken) {
		t.Errorf("without TLS: got %v", err)
	}
}
