package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// An access holds the settings of serve that say who may connect: authentication, TLS and proxies.
// The method flags of config defines the others.
type access struct {
	issuers             []string
	audiences           []string
	scopes              []string
	toolScopes          []string
	jwks                string
	introspection       string
	introspectionClient string
	introspectionSecret string
	tokensFile          string
	userHeader          string
	userScopesHeader    string
	userUnix            bool
	clientCertificates  bool
	certificateName     string
	grantScopes         []string
	publicURL           string
	tlsCerts            []string
	tlsKeys             []string
	tlsClientCA         string
	proxyProtocol       bool
	trustedProxies      []string
}

// flags adds the flags to cmd. They set the fields of c. It returns their names.
func (c *access) flags(cmd *cobra.Command) []string {
	f := cmd.Flags()
	f.StringSliceVar(&c.issuers, "auth-issuer", nil, "`URL` of an authorization server whose JSON Web Tokens are accepted; may be repeated (default no authentication)")
	f.StringSliceVar(&c.audiences, "auth-audience", nil, "`audience` that tokens must have, one of them; may be repeated (default the public URL)")
	f.StringSliceVar(&c.scopes, "auth-scope", nil, "`scope` that tokens must have, all of them; may be repeated (default none)")
	f.StringSliceVar(&c.toolScopes, "auth-tool-scope", nil, "`tool=scope` that a token must have in addition for a tool; may be repeated (default none)")
	f.StringVar(&c.jwks, "auth-jwks", "", "`URL` of the keys of the only issuer (default as its metadata says)")
	f.StringVar(&c.introspection, "auth-introspection", "", "`URL` of an introspection endpoint (RFC 7662) that knows opaque tokens")
	f.StringVar(&c.introspectionClient, "auth-introspection-client", "", "`client ID` for the introspection endpoint")
	f.StringVar(&c.introspectionSecret, "auth-introspection-secret-file", "", "`file` with the client secret for the introspection endpoint")
	f.StringVar(&c.tokensFile, "auth-tokens-file", "", "`file` with names and hashes of static tokens, reloaded when it changes")
	f.StringVar(&c.userHeader, "auth-user-header", "", "`field` in which a trusted proxy that authenticates names the user, for example X-Forwarded-User; the proxy must set or remove it in every request (default none)")
	f.StringVar(&c.userScopesHeader, "auth-user-scopes-header", "", "`field` in which that proxy gives the user's scopes, separated by commas or spaces, for example X-Forwarded-Groups (default none)")
	f.BoolVar(&c.userUnix, "auth-user-unix", false, "believe auth-user-header on unix sockets too: whoever can connect can be any user")
	f.BoolVar(&c.clientCertificates, "auth-client-certificates", false, "a client certificate of tls-client-ca is enough, and names the user; without this it is needed in addition to a token")
	f.StringVar(&c.certificateName, "auth-certificate-name", "", "`name` in a client certificate that is the user: "+strings.Join(certificateNames, ", ")+" (default "+certificateNames[0]+")")
	f.StringSliceVar(&c.grantScopes, "auth-grant-scope", nil, "`scope` that each user of auth-user-header or auth-client-certificates has; may be repeated (default none)")
	f.StringVar(&c.publicURL, "public-url", "", "`URL` under which clients reach the server, without a path, for example https://mcp.example.com (default none, and no metadata for clients that log in)")
	f.StringSliceVar(&c.tlsCerts, "tls-cert", nil, "`file` with a certificate chain in PEM, reloaded when it changes; may be repeated for further names (default no TLS)")
	f.StringSliceVar(&c.tlsKeys, "tls-key", nil, "`file` with the private key of the certificate in PEM; as many as there are certificates, in the same order")
	f.StringVar(&c.tlsClientCA, "tls-client-ca", "", "`file` with the authorities, in PEM, of which clients need a certificate (default clients need none)")
	f.BoolVar(&c.proxyProtocol, "proxy-protocol", false, "expect the header of the PROXY protocol on connections from trusted proxies")
	f.StringSliceVar(&c.trustedProxies, "trusted-proxy", nil, "`address` or network, for example 10.0.0.0/8, whose Forwarded and X-Forwarded-* fields are believed; may be repeated (default none)")
	return []string{
		"auth-issuer", "auth-audience", "auth-scope", "auth-tool-scope", "auth-jwks", "auth-introspection", "auth-introspection-client", "auth-introspection-secret-file",
		"auth-tokens-file", "auth-user-header", "auth-user-scopes-header", "auth-user-unix", "auth-client-certificates", "auth-certificate-name", "auth-grant-scope", "public-url", "tls-cert", "tls-key", "tls-client-ca", "proxy-protocol", "trusted-proxy",
	}
}

// certificateNames are the values of auth-certificate-name, in the order of auth.CertificateName.
var certificateNames = []string{"common-name", "uri", "dns", "email"}

// hasTokens reports whether the settings name a source of tokens.
func (c *access) hasTokens() bool {
	return len(c.issuers) > 0 || c.introspection != "" || c.tokensFile != ""
}

// authenticates reports whether the settings demand that callers prove who they are.
func (c *access) authenticates() bool {
	return c.hasTokens() || c.userHeader != "" || c.clientCertificates
}

// check returns an error for the first setting that is invalid or contradicts another one. It
// strips white space around the entries of lists.
func (c *access) check() error {
	for _, list := range [][]string{c.issuers, c.audiences, c.scopes, c.toolScopes, c.grantScopes, c.tlsCerts, c.tlsKeys, c.trustedProxies} {
		for i := range list {
			list[i] = strings.TrimSpace(list[i])
		}
	}
	for name, list := range map[string][]string{"auth-issuer": c.issuers, "auth-audience": c.audiences, "auth-scope": c.scopes, "auth-grant-scope": c.grantScopes, "tls-cert": c.tlsCerts, "tls-key": c.tlsKeys} {
		if slices.Contains(list, "") {
			return fmt.Errorf("%s: empty", name)
		}
	}
	if err := c.checkURLs(); err != nil {
		return err
	}
	asks := len(c.issuers) > 0 || c.introspection != ""
	switch {
	case len(c.issuers) > 0 && len(c.audiences) == 0 && c.publicURL == "":
		return errors.New("auth-issuer: needs auth-audience or public-url")
	case c.introspection != "" && len(c.audiences) == 0 && c.publicURL == "":
		return errors.New("auth-introspection: needs auth-audience or public-url")
	case len(c.audiences) > 0 && !asks:
		return errors.New("auth-audience: needs auth-issuer or auth-introspection")
	case len(c.scopes) > 0 && !c.authenticates():
		return errors.New("auth-scope: needs a setting that says who callers are, such as auth-issuer or auth-tokens-file")
	case len(c.toolScopes) > 0 && !c.authenticates():
		return errors.New("auth-tool-scope: needs a setting that says who callers are, such as auth-issuer or auth-tokens-file")
	case c.jwks != "" && len(c.issuers) != 1:
		return errors.New("auth-jwks: needs exactly one auth-issuer")
	case c.introspectionClient != "" && c.introspection == "":
		return errors.New("auth-introspection-client: needs auth-introspection")
	case c.introspectionSecret != "" && c.introspectionClient == "":
		return errors.New("auth-introspection-secret-file: needs auth-introspection-client")
	case c.introspectionClient != "" && c.introspectionSecret == "":
		return errors.New("auth-introspection-client: needs auth-introspection-secret-file")
	case len(c.tlsCerts) != len(c.tlsKeys):
		return fmt.Errorf("tls-cert: %d certificates, but %d of tls-key", len(c.tlsCerts), len(c.tlsKeys))
	case c.tlsClientCA != "" && len(c.tlsCerts) == 0:
		return errors.New("tls-client-ca: needs tls-cert")
	case len(c.tlsCerts) > 0 && strings.HasPrefix(c.publicURL, "http:"):
		return errors.New("public-url: not https, although there is tls-cert")
	case c.proxyProtocol && len(c.trustedProxies) == 0:
		return errors.New("proxy-protocol: needs trusted-proxy")
	}
	if err := c.checkProofs(); err != nil {
		return err
	}
	for name, list := range map[string][]string{"auth-scope": c.scopes, "auth-grant-scope": c.grantScopes} {
		for _, s := range list {
			if !isScope(s) {
				return fmt.Errorf("%s: %q is not a scope", name, s)
			}
		}
	}
	for _, s := range c.toolScopes {
		if tool, scope, ok := strings.Cut(s, "="); !ok || tool == "" || !isScope(scope) {
			return fmt.Errorf("auth-tool-scope: %q is not tool=scope", s)
		}
	}
	for _, s := range c.trustedProxies {
		if _, err := netip.ParsePrefix(s); err == nil {
			continue
		}
		if _, err := netip.ParseAddr(s); err != nil {
			return fmt.Errorf("trusted-proxy: %q is neither an address nor a network", s)
		}
	}
	return nil
}

// checkProofs checks the settings for proxies and certificates that say who callers are.
func (c *access) checkProofs() error {
	switch {
	case c.userHeader != "" && len(c.trustedProxies) == 0 && !c.userUnix:
		return errors.New("auth-user-header: needs trusted-proxy, because anybody can send it")
	case c.userHeader != "" && c.proxyProtocol:
		return errors.New("auth-user-header: cannot be combined with proxy-protocol, whose proxies pass on what clients send")
	case c.userHeader == "" && c.userScopesHeader != "":
		return errors.New("auth-user-scopes-header: needs auth-user-header")
	case c.userHeader == "" && c.userUnix:
		return errors.New("auth-user-unix: needs auth-user-header")
	case c.clientCertificates && c.tlsClientCA == "":
		return errors.New("auth-client-certificates: needs tls-client-ca")
	case c.certificateName != "" && !slices.Contains(certificateNames, c.certificateName):
		return fmt.Errorf("auth-certificate-name: %q is not one of %s", c.certificateName, strings.Join(certificateNames, ", "))
	case c.certificateName != "" && !c.clientCertificates:
		return errors.New("auth-certificate-name: needs auth-client-certificates")
	case len(c.grantScopes) > 0 && c.userHeader == "" && !c.clientCertificates:
		return errors.New("auth-grant-scope: needs auth-user-header or auth-client-certificates")
	}
	return nil
}

// isScope reports whether s is a scope-token (RFC 6749 section 3.3).
func isScope(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '"' || r == '\\' })
}

// checkURLs checks the settings that are URLs. Tokens are worth nothing if whoever is on the way to
// the authorization server can replace its keys, so plain http is for loopback addresses alone.
func (c *access) checkURLs() error {
	secure := map[string][]string{"auth-issuer": c.issuers, "auth-jwks": {c.jwks}, "auth-introspection": {c.introspection}}
	for _, name := range []string{"auth-issuer", "auth-jwks", "auth-introspection"} {
		for _, s := range secure[name] {
			if s == "" {
				continue
			}
			u, err := absoluteURL(s)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			if u.Scheme != "https" && !isLoopback(u.Hostname()) {
				return fmt.Errorf("%s: %q is not https", name, s)
			}
		}
	}
	if c.publicURL != "" {
		u, err := absoluteURL(c.publicURL)
		if err != nil {
			return fmt.Errorf("public-url: %w", err)
		}
		if u.Path != "" {
			return fmt.Errorf("public-url: %q has a path", c.publicURL)
		}
	}
	return nil
}

// absoluteURL parses an http or https URL without user, query and fragment.
func absoluteURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "":
		return nil, fmt.Errorf("%q is not an http or https URL", s)
	case u.User != nil:
		return nil, errors.New("a URL with a user") // and perhaps a password, so it is not shown
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(s, "#"):
		return nil, fmt.Errorf("%q has a query or a fragment", s)
	}
	return u, nil
}

// isLoopback reports whether host is a loopback address or localhost.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// used returns the name of the first setting that is not the default, or "".
func (c *access) used() string {
	for _, s := range []struct {
		name string
		set  bool
	}{
		{"auth-issuer", len(c.issuers) > 0}, {"auth-introspection", c.introspection != ""}, {"auth-tokens-file", c.tokensFile != ""},
		{"auth-user-header", c.userHeader != ""}, {"auth-client-certificates", c.clientCertificates},
		{"public-url", c.publicURL != ""}, {"tls-cert", len(c.tlsCerts) > 0}, {"proxy-protocol", c.proxyProtocol}, {"trusted-proxy", len(c.trustedProxies) > 0},
	} {
		if s.set {
			return s.name
		}
	}
	return ""
}

// open returns the first of the addresses that others than this machine can reach, if neither TLS
// nor authentication protects them, or "".
func (c *access) open(addrs []net.Addr) string {
	if c.authenticates() || len(c.tlsCerts) > 0 {
		return ""
	}
	for _, a := range addrs {
		if tcp, ok := a.(*net.TCPAddr); ok && !tcp.IP.IsLoopback() {
			return a.String()
		}
	}
	return ""
}
