package main

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAccessSettings(t *testing.T) {
	got, err := load(t, []string{"--auth-issuer=https://a.example", "--auth-issuer", "http://127.0.0.1:9/b", "--tls-cert=/a.pem,/b.pem"},
		map[string]string{"MOORING_TLS_KEY": "/a.key, /b.key", "MOORING_AUTH_AUDIENCE": "6d1f2f5e-0a3c-4c0e-9a36-5b8f6f0f2a11,https://m.example/mcp", "MOORING_PROXY_PROTOCOL": "true"},
		"trusted-proxy: [10.0.0.0/8, '::1']\nauth-scope: mcp\npublic-url: https://m.example\ntls-client-ca: /ca.pem\n"+
			"auth-tokens-file: /t\nauth-introspection: https://a.example/i\nauth-introspection-client: c\nauth-introspection-secret-file: /s\n")
	if err != nil {
		t.Fatal(err)
	}
	want := access{
		issuers: []string{"https://a.example", "http://127.0.0.1:9/b"}, tlsCerts: []string{"/a.pem", "/b.pem"}, tlsKeys: []string{"/a.key", "/b.key"},
		audiences: []string{"6d1f2f5e-0a3c-4c0e-9a36-5b8f6f0f2a11", "https://m.example/mcp"}, proxyProtocol: true, trustedProxies: []string{"10.0.0.0/8", "::1"},
		scopes: []string{"mcp"}, publicURL: "https://m.example", tlsClientCA: "/ca.pem", tokensFile: "/t",
		introspection: "https://a.example/i", introspectionClient: "c", introspectionSecret: "/s",
	}
	if diff := cmp.Diff(want, got.access, cmp.AllowUnexported(access{})); diff != "" {
		t.Error(diff)
	}
}

func TestAccessContradictions(t *testing.T) {
	for args, want := range map[string]string{
		"--auth-issuer=https://a.example":                            "auth-issuer: needs auth-audience or public-url",
		"--auth-issuer=a.example --auth-audience=x":                  `auth-issuer: "a.example" is not an http or https URL`,
		"--auth-issuer=http://a.example --auth-audience=x":           `auth-issuer: "http://a.example" is not https`,
		"--auth-issuer=http://127.0.0.1.a.example --auth-audience=x": `is not https`,
		"--auth-issuer=https://u:secret@a.example --auth-audience=x": "auth-issuer: a URL with a user",
		"--auth-issuer=https://a.example/?x --auth-audience=x":       "has a query",
		"--auth-issuer=https://a.example/# --auth-audience=x":        "has a query or a fragment",
		"--auth-issuer= --auth-audience=x":                           "auth-audience: needs",
		"--auth-audience=x":                                          "auth-audience: needs auth-issuer or auth-introspection",
		"--auth-audience=x --auth-tokens-file=/t":                    "auth-audience: needs auth-issuer or auth-introspection",
		"--auth-scope=x": "auth-scope: needs",
		"--auth-scope=a\\b --auth-tokens-file=/t":                                                               "auth-scope:",
		"--auth-jwks=https://a.example/k":                                                                       "auth-jwks: needs exactly one auth-issuer",
		"--auth-jwks=https://a.example/k --auth-issuer=https://a,https://b --auth-audience=x":                   "auth-jwks: needs exactly one auth-issuer",
		"--auth-jwks=http://k.example --auth-issuer=https://a --auth-audience=x":                                `auth-jwks: "http://k.example" is not https`,
		"--auth-introspection=https://a.example/i":                                                              "auth-introspection: needs auth-audience or public-url",
		"--auth-introspection=http://a.example/i --auth-audience=x":                                             `is not https`,
		"--auth-introspection-client=c":                                                                         "auth-introspection-client: needs auth-introspection",
		"--auth-introspection=https://a --auth-audience=x --auth-introspection-client=c":                        "needs auth-introspection-secret-file",
		"--auth-introspection=https://a --auth-audience=x --auth-introspection-secret-file=/":                   "needs auth-introspection-client",
		"--auth-tool-scope=add=x":                                                                               "auth-tool-scope: needs",
		"--auth-tool-scope=add --auth-tokens-file=/t":                                                           "auth-tool-scope: \"add\" is not tool=scope",
		"--auth-tool-scope=add=a\\b --auth-tokens-file=/t":                                                      "is not tool=scope",
		"--auth-user-header=X-User":                                                                             "auth-user-header: needs trusted-proxy",
		"--auth-user-header=X-User --trusted-proxy=::1":                                                         "",
		"--auth-user-header=X-User --auth-user-unix":                                                            "",
		"--auth-user-header=X-User --trusted-proxy=::1 --proxy-protocol":                                        "cannot be combined with proxy-protocol",
		"--auth-user-header=X-User --trusted-proxy=::1 --auth-scope=a --auth-grant-scope=a":                     "",
		"--auth-user-scopes-header=X-Groups":                                                                    "needs auth-user-header",
		"--auth-user-unix":                                                                                      "needs auth-user-header",
		"--auth-client-certificates":                                                                            "needs tls-client-ca",
		"--auth-client-certificates --tls-cert=/c --tls-key=/k --tls-client-ca=/a":                              "",
		"--auth-client-certificates --tls-cert=/c --tls-key=/k --tls-client-ca=/a --auth-certificate-name=uri":  "",
		"--auth-client-certificates --tls-cert=/c --tls-key=/k --tls-client-ca=/a --auth-certificate-name=name": `"name" is not one of`,
		"--auth-certificate-name=uri":                                                                           "needs auth-client-certificates",
		"--auth-grant-scope=a --auth-tokens-file=/t":                                                            "auth-grant-scope: needs",
		"--auth-grant-scope=a\\b --auth-user-header=X-User --auth-user-unix":                                    "is not a scope",
		"--stdio --auth-user-header=X-User --auth-user-unix":                                                    "stdio: cannot be combined with auth-user-header",
		"--auth-tool-scope=add=x --auth-tokens-file=/t":                                                         "",
		"--tls-cert=/c": "tls-cert: 1 certificates, but 0 of tls-key",
		"--tls-cert=/c --tls-key=/a --tls-key=/b": "tls-cert: 1 certificates, but 2 of tls-key",
		"--tls-key=/k":       "tls-cert: 0 certificates",
		"--tls-client-ca=/c": "tls-client-ca: needs tls-cert",
		"--tls-cert=/c --tls-key=/k --public-url=http://m.example":        "public-url: not https",
		"--public-url=m.example/mcp":                                      "public-url:",
		"--public-url=https://m.example/mcp?x":                            "public-url:",
		"--proxy-protocol":                                                "proxy-protocol: needs trusted-proxy",
		"--trusted-proxy=proxy.example":                                   `trusted-proxy: "proxy.example" is neither`,
		"--trusted-proxy=10.0.0.0/33":                                     "trusted-proxy:",
		"--stdio --auth-tokens-file=/t":                                   "stdio: cannot be combined with auth-tokens-file",
		"--stdio --tls-cert=/c --tls-key=/k":                              "stdio: cannot be combined with tls-cert",
		"--stdio --public-url=https://m.example":                          "stdio: cannot be combined with public-url",
		"--stdio --trusted-proxy=::1":                                     "stdio: cannot be combined with trusted-proxy",
		"--stdio --auth-issuer=https://a --auth-audience=x":               "stdio: cannot be combined with auth-issuer",
		"--stdio --auth-introspection=https://a --auth-audience=x":        "stdio: cannot be combined with auth-introspection",
		"--auth-issuer=http://localhost:1 --auth-audience=x":              "",
		"--auth-issuer=http://[::1]:1 --public-url=http://127.0.0.1":      "",
		"--auth-tokens-file=/t --auth-scope=a --auth-scope=b":             "",
		"--proxy-protocol --trusted-proxy=10.0.0.0/8,::1":                 "",
		"--auth-issuer=https://a --auth-audience=x --auth-jwks=https://k": "",
		"--public-url=https://m.example:8443":                             "",
		"--public-url=https://m.example/mcp":                              "has a path",
		"--public-url=https://m.example/":                                 "has a path",
	} {
		_, err := load(t, strings.Fields(args), nil, "")
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v, want none", args, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want an error with %q", args, err, want)
		case err != nil && strings.Contains(err.Error(), "secret@"):
			t.Errorf("%s: the error has the password", args)
		}
	}
}

func TestOpenAddresses(t *testing.T) {
	addr := func(s string) net.Addr { return &net.TCPAddr{IP: net.ParseIP(s), Port: 1} }
	all := []net.Addr{addr("127.0.0.1"), &net.UnixAddr{Name: "/s", Net: "unix"}, addr("::1"), addr("10.0.0.1")}
	for _, tt := range []struct {
		why   string
		c     access
		addrs []net.Addr
		want  string
	}{
		{"loopback addresses", access{}, all[:3], ""},
		{"one of four", access{}, all, "10.0.0.1:1"},
		{"any address", access{}, []net.Addr{addr("::")}, "[::]:1"},
		{"authentication", access{tokensFile: "/t"}, all, ""},
		{"TLS", access{tlsCerts: []string{"/c"}}, all, ""},
	} {
		if got := tt.c.open(tt.addrs); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.why, got, tt.want)
		}
	}
}

func TestOpenServerWarnsOnce(t *testing.T) {
	for listen, want := range map[string]int{"0.0.0.0:0": 1, "127.0.0.1:0": 0} {
		p := start(t, command(t, nil, "serve", "--listen", listen))
		time.Sleep(50 * time.Millisecond)
		if n := strings.Count(p.output(), "level=WARN msg=\"ANYONE"); n != want {
			t.Errorf("%s: %d warnings, want %d: %s", listen, n, want, p.output())
		}
	}
}
