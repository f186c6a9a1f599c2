//go:build linux

package server_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/auth"
	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server"
)

// An identityRig is a server with TLS, by ServeTLS and on an http.Server of the host, whose clients
// may have certificates.
type identityRig struct {
	*proofServer
	ca    *x509.Certificate
	key   *ecdsa.PrivateKey
	trust *x509.CertPool // of clients
	addrs map[string]string
	calls atomic.Int64 // of the verifier
	thumb atomic.Pointer[string]
}

func newIdentityRig(t *testing.T, change func(*server.Options)) *identityRig {
	t.Helper()
	r := &identityRig{addrs: map[string]string{}, trust: x509.NewCertPool()}
	o := server.Options{
		Loops: 2,
		Authenticate: &server.Authentication{
			Certificate: auth.CertificateSubject(&auth.CertificateOptions{Scopes: []string{"mtls"}}),
			Verifier: func(_ context.Context, token string, q *http.Request) (*auth.TokenInfo, error) {
				r.calls.Add(1)
				info := &auth.TokenInfo{UserID: token, Expiration: time.Now().Add(time.Hour)}
				switch token {
				case "bound":
					info.CertificateThumbprint = *r.thumb.Load()
				case "token":
				default:
					return nil, auth.ErrInvalidToken
				}
				return info, nil
			},
		},
	}
	if change != nil {
		change(&o)
	}
	r.proofServer = newProofServer(t, &o)
	mcp.AddInlineTool(r.mcp, &mcp.Tool{Name: "me"}, func(q *mcp.CallToolRequest, _ noArgs) (map[string]string, error) {
		ti := q.Extra.TokenInfo
		if ti == nil {
			return map[string]string{"me": "nobody"}, nil
		}
		return map[string]string{"me": fmt.Sprint(ti.Issuer, " ", ti.UserID, " ", ti.Scopes)}, nil
	})
	r.key, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	r.ca = r.issue(nil, &x509.Certificate{Subject: pkix.Name{CommonName: "test CA"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}).Leaf
	r.trust.AddCert(r.ca)
	config := &tls.Config{
		Certificates: []tls.Certificate{r.issue(r.ca, &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})},
		ClientCAs:    r.trust, ClientAuth: tls.VerifyClientCertIfGiven, NextProtos: []string{"h2", "http/1.1"},
	}
	l, err := r.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.addrs["ServeTLS"] = l.Addr().String()
	go func() { _ = r.ServeTLS(l, config) }()
	own, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	r.addrs["net/http"] = own.Addr().String()
	hs := &http.Server{Handler: r.Server}
	go func() { _ = hs.Serve(own) }()
	t.Cleanup(func() { _ = hs.Close() })
	return r
}

// issue returns a certificate by an authority, or by itself if that is nil. All have the same key.
func (r *identityRig) issue(by, of *x509.Certificate) tls.Certificate {
	of.SerialNumber = big.NewInt(time.Now().UnixNano())
	if of.NotBefore.IsZero() {
		of.NotBefore = time.Now().Add(-time.Minute)
	}
	if of.NotAfter.IsZero() {
		of.NotAfter = time.Now().Add(time.Hour)
	}
	of.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	if by == nil {
		by = of
	}
	der, err := x509.CreateCertificate(rand.Reader, of, by, &r.key.PublicKey, r.key)
	if err != nil {
		panic(err)
	}
	leaf, _ := x509.ParseCertificate(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: r.key, Leaf: leaf}
}

// user returns a certificate with a common name.
func (r *identityRig) user(name string) *tls.Certificate {
	c := r.issue(r.ca, &x509.Certificate{Subject: pkix.Name{CommonName: name}})
	return &c
}

// client returns a client with a certificate, or without.
func (r *identityRig) client(cert *tls.Certificate, proto int) *http.Client {
	config := &tls.Config{RootCAs: r.trust, ServerName: "127.0.0.1"}
	if cert != nil {
		// Whatever the server asks for.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert, nil }
	}
	tr := &http.Transport{TLSClientConfig: config, Protocols: new(http.Protocols)}
	tr.Protocols.SetHTTP1(proto == 1)
	tr.Protocols.SetHTTP2(proto == 2)
	r.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: patience}
}

// do sends a request as text.
func (r *identityRig) do(c *http.Client, addr, text string) (*http.Response, error) {
	q, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
	if err != nil {
		r.t.Fatal(err)
	}
	q.RequestURI, q.URL.Scheme, q.URL.Host = "", "https", addr
	return c.Do(q)
}

// want sends a call of the tool "me" and checks its answer.
func (r *identityRig) want(why string, c *http.Client, addr, fields string, status int, part string) {
	r.t.Helper()
	text := strings.Replace(callRequest(1, "me", `{}`, ""), "\r\n", "\r\n"+fields, 1)
	res, err := r.do(c, addr, text)
	if err != nil {
		r.t.Fatalf("%s: %v", why, err)
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	challenge := res.Header.Get("WWW-Authenticate")
	if res.StatusCode != status || !strings.Contains(string(b), part) || (challenge != "") != (status == 400 || status == 401) {
		r.t.Errorf("%s: %d %s (%s), want %d with %q", why, res.StatusCode, b, challenge, status, part)
	}
}

// everywhere calls f for both transports and both versions of HTTP.
func (r *identityRig) everywhere(f func(where, addr string, proto int)) {
	for name, addr := range r.addrs {
		for proto := 1; proto <= 2; proto++ {
			f(fmt.Sprint(name, ", HTTP/", proto), addr, proto)
		}
	}
}

const bearerGood = "Authorization: Bearer token\r\n"

// A verified certificate is enough, a token comes before it, and nothing else is.
func TestCertificateIsPrincipal(t *testing.T) {
	r := newIdentityRig(t, nil)
	ann, nameless := r.user("ann"), r.user("")
	r.everywhere(func(where, addr string, proto int) {
		with, without := r.client(ann, proto), r.client(nil, proto)
		r.want(where+": a certificate", with, addr, "", 200, `"me":"CN=test CA ann [mtls]"`)
		r.want(where+": again", with, addr, "", 200, `"me":"CN=test CA ann [mtls]"`)
		r.want(where+": a token too", with, addr, bearerGood, 200, `"me":" token []"`)
		r.want(where+": a bad token too", with, addr, "Authorization: Bearer bad\r\n", 401, "not valid")
		r.want(where+": two tokens too", with, addr, bearerGood+bearerGood, 400, "more than once")
		r.want(where+": nothing", without, addr, "", 401, "required")
		r.want(where+": a token", without, addr, bearerGood, 200, `"me":" token []"`)
		r.want(where+": no name", r.client(nameless, proto), addr, "", 401, "certificate")
	})
	if n := r.Stats().Authentications["certificate"]; n != 4 {
		t.Errorf("%d refusals of certificates, want 4", n)
	}
}

// Of another authority, or too late, nobody gets past the handshake. A certificate that ends during
// a connection ends there too.
func TestCertificateThatIsNotValid(t *testing.T) {
	r := newIdentityRig(t, nil)
	foreign := r.issue(nil, &x509.Certificate{Subject: pkix.Name{CommonName: "ann"}})
	late := r.issue(r.ca, &x509.Certificate{Subject: pkix.Name{CommonName: "ann"}, NotAfter: time.Now().Add(-time.Second)})
	soon := r.issue(r.ca, &x509.Certificate{Subject: pkix.Name{CommonName: "ann"}, NotAfter: time.Now().Add(3 * time.Second)})
	r.everywhere(func(where, addr string, proto int) {
		for _, cert := range []tls.Certificate{foreign, late} {
			if res, err := r.do(r.client(&cert, proto), addr, callRequest(1, "me", `{}`, "")); err == nil {
				t.Errorf("%s: a bad certificate got %s", where, res.Status)
				res.Body.Close()
			}
		}
	})
	clients := map[string]*http.Client{}
	for name, addr := range r.addrs {
		clients[name] = r.client(&soon, 1)
		r.want(name, clients[name], addr, "", 200, "ann")
	}
	time.Sleep(time.Until(soon.Leaf.NotAfter) + 50*time.Millisecond)
	for name, addr := range r.addrs {
		r.want(name+": on the same connection", clients[name], addr, "", 401, "certificate")
	}
}

// The streams of a certificate end with it, with their result.
func TestStreamEndsWithCertificate(t *testing.T) {
	r := newIdentityRig(t, nil)
	soon := r.issue(r.ca, &x509.Certificate{Subject: pkix.Name{CommonName: "ann"}, NotAfter: time.Now().Add(4 * time.Second)})
	var bodies []io.ReadCloser
	r.everywhere(func(where, addr string, proto int) {
		res, err := r.do(r.client(&soon, proto), addr, listenRequest(7))
		if err != nil || res.StatusCode != 200 {
			t.Fatalf("%s: %v, %v", where, res, err)
		}
		bodies = append(bodies, res.Body)
	})
	await(t, "the streams are open", func() bool { return r.Stats().Streams == 4 })
	for _, body := range bodies {
		b, err := io.ReadAll(body)
		if err != nil || !strings.Contains(string(b), `"result"`) {
			t.Errorf("a stream ended with %q, %v", b, err)
		}
		body.Close()
	}
	if late := time.Since(soon.Leaf.NotAfter); late > time.Second || late < -time.Second {
		t.Errorf("the streams ended %v after the certificate", late)
	}
}

// A session belongs to the certificate's subject, not to its connection.
func TestSessionOfCertificate(t *testing.T) {
	r := newIdentityRig(t, nil)
	post := func(cert *tls.Certificate, addr, fields, body string) *http.Response {
		res, err := r.do(r.client(cert, 1), addr, "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"+
			fields+fmt.Sprintf("Content-Length: %d\r\n\r\n", len(body))+body)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		return res
	}
	renewed := r.user("ann")
	for name, addr := range r.addrs {
		res := post(r.user("ann"), addr, "", `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}`)
		session := "Mcp-Session-Id: " + res.Header.Get("Mcp-Session-Id") + "\r\n"
		for status, cert := range map[int]*tls.Certificate{200: renewed, 404: r.user("bob"), 401: nil} {
			if res := post(cert, addr, session, `{"jsonrpc":"2.0","id":1,"method":"ping"}`); res.StatusCode != status {
				t.Errorf("%s: status %d, want %d", name, res.StatusCode, status)
			}
		}
	}
}

// With RequireCertificate, neither a token nor a certificate is enough.
func TestRequireCertificate(t *testing.T) {
	r := newIdentityRig(t, func(o *server.Options) { o.Authenticate.RequireCertificate = true })
	ann, nameless := r.user("ann"), r.user("")
	r.everywhere(func(where, addr string, proto int) {
		r.want(where+": both", r.client(ann, proto), addr, bearerGood, 200, `"me":" token []"`)
		r.want(where+": a certificate", r.client(ann, proto), addr, "", 401, "token is required")
		r.want(where+": a token", r.client(nil, proto), addr, bearerGood, 401, "certificate")
		r.want(where+": a token and no name", r.client(nameless, proto), addr, bearerGood, 401, "certificate")
	})
}

// A token that is bound to a certificate is valid on its connections, and on no others, whoever has
// brought it before: verdicts are kept for the token.
func TestBoundToken(t *testing.T) {
	r := newIdentityRig(t, nil)
	ann, bob := r.user("ann"), r.user("ann")
	sum := sha256.Sum256(ann.Certificate[0])
	thumb := base64.RawURLEncoding.EncodeToString(sum[:])
	r.thumb.Store(&thumb)
	const bound = "Authorization: Bearer bound\r\n"
	r.everywhere(func(where, addr string, proto int) {
		with, other, without := r.client(ann, proto), r.client(bob, proto), r.client(nil, proto)
		for i := range 3 {
			why := fmt.Sprint(where, ", ", i, ": ")
			r.want(why+"another certificate", other, addr, bound, 401, "bound")
			r.want(why+"no certificate", without, addr, bound, 401, "bound")
			r.want(why+"its certificate", with, addr, bound, 200, `"me":" bound []"`)
		}
	})
	if n := r.calls.Load(); n != 1 {
		t.Errorf("the verifier was called %d times, want once", n)
	}
	st := r.Stats()
	if st.Authentications["bound"] != 24 || st.Refusals["token_binding"] != 24 {
		t.Errorf("%v, %v", st.Authentications, st.Refusals)
	}
}

// The certificate of a proxy is that of no user.
func TestCertificateOfProxy(t *testing.T) {
	r := newIdentityRig(t, func(o *server.Options) {
		o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		o.Authenticate.UserHeader = "X-Forwarded-User"
	})
	proxy := r.user("proxy")
	r.everywhere(func(where, addr string, proto int) {
		c := r.client(proxy, proto)
		r.want(where+": a user", c, addr, "X-Forwarded-User: ann\r\n", 200, `"me":"trusted-proxy ann []"`)
		r.want(where+": nobody", c, addr, "", 401, "required")
		r.want(where+": an empty user", c, addr, "X-Forwarded-User: \r\n", 401, "required")
	})
}

// A function of the host's that fails lets nobody in.
func TestCertificateVerifierFails(t *testing.T) {
	var fail error
	r := newIdentityRig(t, func(o *server.Options) {
		o.Authenticate.Certificate = func([]*x509.Certificate) (*auth.TokenInfo, error) {
			if fail == nil {
				panic("no")
			}
			if fail == io.EOF {
				return nil, nil
			}
			return nil, fail
		}
	})
	ann := r.user("ann")
	for _, tt := range []struct {
		err    error
		status int
	}{{nil, 500}, {io.EOF, 500}, {io.ErrClosedPipe, 500}, {auth.ErrUnavailable, 503}, {auth.ErrInvalidToken, 401}} {
		fail = tt.err
		for name, addr := range r.addrs {
			r.want(fmt.Sprint(name, ": ", tt.err), r.client(ann, 1), addr, "", tt.status, "")
		}
	}
}
