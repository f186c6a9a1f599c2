package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/mooring-mcp/mooring/auth"
	"github.com/mooring-mcp/mooring/auth/issuer"
	"github.com/mooring-mcp/mooring/server"
	"github.com/mooring-mcp/mooring/server/certs"
)

// authentication returns what the settings demand of callers, or nil if they demand nothing. It
// reads files and sends nothing: an authorization server may start later than this one.
func (c *config) authentication(logger *slog.Logger) (*server.Authentication, error) {
	if !c.authenticates() {
		return nil, nil
	}
	a := &server.Authentication{Scopes: c.scopes}
	var verifiers []auth.TokenVerifier // those that need no network first
	if c.tokensFile != "" {
		f, err := auth.NewTokenFile(c.tokensFile, &auth.TokenFileOptions{Logger: logger})
		if err != nil {
			return nil, fmt.Errorf("auth-tokens-file: %w", err)
		}
		verifiers = append(verifiers, f.Verify)
		a.AllowMissingExpiration = true
	}
	if len(c.issuers) > 0 {
		v, err := c.issuerVerifier()
		if err != nil {
			return nil, fmt.Errorf("auth-issuer: %w", err)
		}
		verifiers = append(verifiers, expiring(v))
	}
	if c.introspection != "" {
		v, err := c.introspectionVerifier()
		if err != nil {
			return nil, err
		}
		verifiers = append(verifiers, expiring(v))
	}
	if len(c.issuers) > 0 && c.publicURL != "" {
		a.Metadata = &auth.ProtectedResourceMetadata{
			AuthorizationServers: c.issuers, ScopesSupported: c.scopes, BearerMethodsSupported: []string{"header"},
		}
	}
	if len(verifiers) > 0 {
		a.Verifier = auth.Chain(verifiers...)
	}
	if a.UserHeader, a.ScopesHeader, a.UserHeaderUnix = c.userHeader, c.userScopesHeader, c.userUnix; c.userHeader != "" {
		a.UserScopes = c.grantScopes
	}
	if c.clientCertificates {
		name := auth.CertificateName(max(0, slices.Index(certificateNames, c.certificateName)))
		a.Certificate = auth.CertificateSubject(&auth.CertificateOptions{Name: name, Scopes: c.grantScopes})
	}
	return a, nil
}

// audiencesOrURL returns the audiences of which a token must have one.
func (c *config) audiencesOrURL() []string {
	if len(c.audiences) == 0 {
		return []string{c.publicURL + c.path}
	}
	return c.audiences
}

// issuerVerifier returns the verifier of JSON Web Tokens.
func (c *config) issuerVerifier() (auth.TokenVerifier, error) {
	o := issuer.Options{}
	for _, url := range c.issuers {
		o.Issuers = append(o.Issuers, issuer.Issuer{URL: url, JWKSURL: c.jwks, Audiences: c.audiencesOrURL()})
	}
	v, err := issuer.New(o)
	if err != nil {
		return nil, err
	}
	return v.Verify, nil
}

// introspectionVerifier returns the verifier of opaque tokens.
func (c *config) introspectionVerifier() (auth.TokenVerifier, error) {
	o := auth.IntrospectionOptions{URL: c.introspection, ClientID: c.introspectionClient, Audiences: c.audiencesOrURL()}
	if c.introspectionSecret != "" {
		secret, err := readSecret("auth-introspection-secret-file", c.introspectionSecret)
		if err != nil {
			return nil, err
		}
		o.ClientSecret = secret
	}
	v, err := auth.NewIntrospection(o)
	if err != nil {
		return nil, fmt.Errorf("auth-introspection: %w", err)
	}
	return v.Verify, nil
}

// scopeRules returns the scopes that messages need, nil if none. A tool with a scope of its own
// needs the others too.
func (c *config) scopeRules() *server.Scopes {
	if len(c.scopes) == 0 && len(c.toolScopes) == 0 {
		return nil
	}
	rules := &server.Scopes{Methods: map[string][]string{"*": c.scopes}, Tools: make(map[string][]string)}
	for _, s := range c.toolScopes {
		tool, scope, _ := strings.Cut(s, "=")
		rules.Tools[tool] = append(rules.Tools[tool], scope)
	}
	return rules
}

// certificates returns the configuration of TLS, nil if there is none.
func (c *config) certificates(logger *slog.Logger) (*tls.Config, error) {
	if len(c.tlsCerts) == 0 {
		return nil, nil
	}
	o := certs.Options{ClientCA: c.tlsClientCA, Logger: logger}
	if c.clientCertificates && (c.hasTokens() || c.userHeader != "") {
		o.ClientAuth = tls.VerifyClientCertIfGiven // the others have another proof, or get 401
	}
	for i, cert := range c.tlsCerts {
		o.Pairs = append(o.Pairs, certs.Pair{Cert: cert, Key: c.tlsKeys[i]})
	}
	set, err := certs.Open(o)
	if err != nil {
		return nil, fmt.Errorf("tls-cert: %w", err)
	}
	return set.Config(), nil
}

// proxies returns the networks of the proxies that are trusted. check has ruled out an error.
func (c *config) proxies() (all []netip.Prefix) {
	for _, s := range c.trustedProxies {
		if p, err := netip.ParsePrefix(s); err == nil {
			all = append(all, p)
		} else if a, err := netip.ParseAddr(s); err == nil {
			all = append(all, netip.PrefixFrom(a, a.BitLen()))
		}
	}
	return all
}

// expiring returns a verifier that accepts what v accepts, unless it never expires. Tokens of a
// file do not expire; those of an authorization server must, even if both are accepted.
func expiring(v auth.TokenVerifier) auth.TokenVerifier {
	return func(ctx context.Context, token string, r *http.Request) (*auth.TokenInfo, error) {
		info, err := v(ctx, token, r)
		if err == nil && info != nil && info.Expiration.IsZero() {
			return nil, fmt.Errorf("%w: it does not expire", auth.ErrInvalidToken)
		}
		return info, err
	}
}
