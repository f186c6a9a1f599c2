package server

import (
	"crypto/sha256"
	"errors"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"

	"github.com/mooring-mcp/mooring/auth"
	"github.com/mooring-mcp/mooring/httpparse"
	"github.com/mooring-mcp/mooring/internal/bearer"
	"github.com/mooring-mcp/mooring/server/internal/endpoint"
	"github.com/mooring-mcp/mooring/server/internal/proxyproto"
)

// This file has the proofs of identity that need no verifier of tokens: the word of a proxy, and
// the certificate of the client. Its functions may be called from any goroutine.

// TrustedProxyIssuer is the Issuer of the users whom proxies name: see Authentication.UserHeader.
// What a verifier returns with it is not accepted.
const TrustedProxyIssuer = "trusted-proxy"

var errProxyIssuer = errors.New("server: a verifier returned the issuer of users whom proxies name")

func isProxyIssuer(ti *auth.TokenInfo) bool { return ti != nil && ti.Issuer == TrustedProxyIssuer }

// maxUser is the length of the longest user and e-mail address that a proxy may name.
const maxUser = 1 << 10

// checkProofs returns what is wrong with the options of this file.
func checkProofs(o *Options, fault func(field, value, reason string) error) error {
	a := o.Authenticate
	user := strings.TrimSpace(a.UserHeader)
	switch {
	case user == "" && (a.ScopesHeader != "" || a.EmailHeader != "" || len(a.UserScopes) > 0 || a.UserHeaderUnix):
		return fault("UserHeader", "", "is not set, but what belongs to it is")
	case user != "" && len(o.TrustedProxies) == 0 && !a.UserHeaderUnix:
		return fault("UserHeader", user, "needs Options.TrustedProxies, because anybody can send it")
	case a.RequireCertificate && a.Certificate == nil:
		return fault("RequireCertificate", "true", "needs Certificate")
	case a.RequireCertificate && a.Verifier == nil:
		return fault("RequireCertificate", "true", "needs a Verifier: without it, Certificate alone is enough")
	}
	seen := map[string]bool{"authorization": true, "host": true, "cookie": true, "content-length": true, strings.ToLower(strings.TrimSpace(a.KeyHeader)): a.KeyHeader != ""}
	for _, f := range [...]struct{ option, name string }{{"UserHeader", user}, {"ScopesHeader", strings.TrimSpace(a.ScopesHeader)}, {"EmailHeader", strings.TrimSpace(a.EmailHeader)}} {
		switch key := strings.ToLower(f.name); {
		case f.name == "":
		case !isToken(f.name):
			return fault(f.option, f.name, "is not the name of a header field")
		case seen[key]:
			return fault(f.option, f.name, "is the name of another field")
		default:
			seen[key] = true
		}
	}
	for _, s := range a.UserScopes {
		if !bearer.IsScope(s) {
			return fault("UserScopes", s, "is not a scope (RFC 6749 section 3.3)")
		}
	}
	return nil
}

// A proof is what the header fields of a proxy say of a request.
type proof struct {
	verdict   verdict
	decided   bool // the verdict holds; otherwise other credentials count
	proxy     bool // the request comes from a trusted proxy
	untrusted bool // it does not, and it has a UserHeader
}

// without returns the outcome o of looking for other credentials, which may be that there are none.
func (p *proof) without(o authOutcome) authOutcome {
	if o == authNone && p.untrusted {
		return authUntrusted
	}
	return o
}

// believes reports whether requests of a peer may name their user. A proxy that speaks the PROXY
// protocol passes on what its clients send.
func (a *authenticator) believes(peer netip.Addr, trust endpoint.Trust) bool {
	if trust == endpoint.TrustUnix {
		return a.opts.UserHeaderUnix
	}
	return peer.IsValid() && a.srv.trustsProxy(peer) && !proxyproto.Lists(a.srv.opts.ProxyProtocol, peer)
}

// fromProxy reports whether the request in progress may name its user.
func (c *conn) fromProxy() bool {
	var peer netip.Addr
	if s := c.loop.srv; len(s.opts.TrustedProxies) > 0 {
		peer = c.peer().Addr()
	}
	return c.loop.srv.auth.believes(peer, c.trust)
}

// claim finds out whom a request names as its user. There is a UserHeader.
func (a *authenticator) claim(r *httpparse.Request, proxy bool, now tick) proof {
	var values [3][]byte // the user, its scopes, its e-mail address
	var found [3]bool
	twice := false
	for name, value := range r.Fields() {
		for i, want := range [...]string{a.opts.UserHeader, a.opts.ScopesHeader, a.opts.EmailHeader} {
			if want != "" && isField(name, want) {
				twice = twice || found[i]
				values[i], found[i] = value, true
			}
		}
	}
	switch {
	case !proxy:
		return proof{untrusted: found[0]}
	case twice:
		return refusedProof(authMalformed)
	case len(values[0]) == 0:
		return proof{proxy: true}
	}
	var room [512]byte
	text := room[:0]
	for _, v := range values {
		text = append(append(text, v...), 0) // no field has such an octet
	}
	k := authKey{sum: sha256.Sum256(text), user: true}
	if v, ok := a.cache.find(&k, now); ok {
		return proof{verdict: v, decided: true, proxy: true}
	}
	info := a.namedUser(values[0], values[1], values[2])
	if info == nil {
		return refusedProof(authMalformed)
	}
	v := verdict{outcome: authOK, who: identityOf(info)}
	a.cache.keep(&k, v, now, a.opts.CacheTTL)
	return proof{verdict: v, decided: true, proxy: true}
}

func refusedProof(o authOutcome) proof {
	return proof{verdict: verdict{outcome: o}, decided: true, proxy: true}
}

// namedUser returns the user whom a proxy names, or nil if the fields cannot be what they should
// be.
func (a *authenticator) namedUser(user, scopes, email []byte) *auth.TokenInfo {
	if !isVisible(user) || !isVisible(email) {
		return nil
	}
	info := &auth.TokenInfo{UserID: string(user), Issuer: TrustedProxyIssuer}
	info.Scopes = append(info.Scopes, a.opts.UserScopes...)
	for s := range strings.FieldsFuncSeq(string(scopes), func(r rune) bool { return r == ',' || r == ' ' || r == '\t' }) {
		if !bearer.IsScope(s) {
			return nil
		}
		info.Scopes = append(info.Scopes, s)
	}
	if len(email) > 0 {
		info.Extra = map[string]any{"email": string(email)}
	}
	return info
}

// isVisible reports whether b consists of visible ASCII characters and is not too long.
func isVisible(b []byte) bool {
	for _, c := range b {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return len(b) <= maxUser
}

// certified returns the verdict on the certificate of the client that has sent r. It reports false
// if there is none.
func (a *authenticator) certified(r *http.Request) (v verdict, ok bool) {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return verdict{}, false
	}
	info, err := a.askCertificate(r)
	if isProxyIssuer(info) {
		err = errProxyIssuer
	}
	switch {
	case errors.Is(err, auth.ErrInvalidToken):
		return verdict{outcome: authCertificate}, true
	case errors.Is(err, auth.ErrUnavailable):
		return verdict{outcome: authUnavailable}, true
	case err != nil || info == nil:
		if err == nil {
			err = errNoVerdict
		}
		a.srv.logger().Error("server: a client certificate could not be verified", "error", err)
		return verdict{outcome: authError}, true
	case !info.Expiration.IsZero() && a.srv.clock().After(info.Expiration.Add(a.opts.ClockSkew)):
		return verdict{outcome: authCertificate}, true
	}
	return verdict{outcome: authOK, who: identityOf(info)}, true
}

// askCertificate calls Certificate.
func (a *authenticator) askCertificate(r *http.Request) (info *auth.TokenInfo, err error) {
	defer func() {
		if v := recover(); v != nil {
			a.srv.logger().Error("server: Authentication.Certificate panicked", "panic", v, "stack", string(debug.Stack()))
			info, err = nil, errPanicked
		}
	}()
	return a.opts.Certificate.VerifyRequest(r)
}

// proved returns the verdict on a request that has brought a token with verdict v: whether it has
// proved what the token or RequireCertificate demands in addition. r is nil if the request came to
// a loop, which has no connections with TLS. The cache has v for all who bring the token.
func (a *authenticator) proved(v verdict, r *http.Request) verdict {
	switch {
	case v.outcome != authOK || v.who == nil:
		return v
	case v.who.info.CertificateThumbprint != "" && auth.CheckBinding(a.srv.base, v.who.info, r) != nil:
		return verdict{outcome: authBound}
	case !a.opts.RequireCertificate:
		return v
	case r == nil:
		return verdict{outcome: authCertificate}
	}
	switch c, ok := a.certified(r); {
	case !ok:
		return verdict{outcome: authCertificate}
	case c.outcome != authOK:
		return c
	}
	return v
}

// refusal returns how a request is refused.
func (a *authenticator) refusal(o authOutcome) *authRefusal {
	if o == authNone && a.opts.Verifier == nil {
		return &refusedWithoutProof
	}
	return &authRefusals[o]
}

// refusedWithoutProof is for servers to which no token is of use.
var refusedWithoutProof = authRefusal{http.StatusUnauthorized, "", "a client certificate, or a user whom a trusted proxy names, is required"}

// classOf returns the class of a refusal, for the log.
func classOf(o authOutcome) refusalClass {
	switch o {
	case authBound:
		return refusedBinding
	case authUntrusted:
		return refusedUser
	}
	return refusedAuthentication
}
