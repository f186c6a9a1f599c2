package server

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/mooring-mcp/mooring/auth"
	"github.com/mooring-mcp/mooring/internal/bearer"
)

// Authentication makes a Server serve only callers who prove who they are, at all of its endpoints.
// Health checks, preflights, protected resource metadata and Options.Other are open to everybody.
// Handlers find the caller in RequestExtra.TokenInfo and RequestExtra.Principal. Sessions, their
// streams, and the states of multi round trips belong to the principal who began them; for anyone
// else they do not exist.
//
// A caller sends a bearer token in the Authorization field (RFC 6750), or a key in KeyHeader, with
// each request, never in the query. Other requests are refused before their content is read, with a
// challenge in WWW-Authenticate: 401 if there is no token, if it is not valid or longer than 8 KiB;
// 400 if the field is malformed or sent more than once, or the error of Verifier wraps
// auth.ErrOAuth. A verifier that cannot tell, or takes too long, makes it 503, and one that panics
// or fails otherwise 500.
//
// A proxy that authenticates may name the user instead (UserHeader), and so may the client's
// certificate (Certificate). Of several proofs the first in this order counts: the proxy's word,
// the token, the key, the certificate.
//
// A token that is bound to a certificate (RFC 8705, auth.TokenInfo.CertificateThumbprint) is valid
// only on connections with TLS whose client has that certificate. That is checked with each
// request.
//
// On net/http, a request whose context has a TokenInfo, which middleware has added, is
// authenticated already.
type Authentication struct {
	// Verifier verifies a token or a key. It runs on a goroutine of its own and may wait. Verdicts
	// are kept, so they must depend only on the token, on the path of the request, and on whether
	// the token came in KeyHeader. The request has no content. Its context ends after
	// VerifyTimeout, and not when the client disconnects, because other requests may wait for the
	// same verdict. It may be nil if UserHeader or Certificate is set: then no token is valid.
	Verifier auth.TokenVerifier
	// KeyHeader names a header field for API keys, for example "X-API-Key". It is used if there is
	// no bearer token. By default there is none.
	KeyHeader string

	// UserHeader names the header field in which a proxy that has authenticated the user names it,
	// for example "X-Forwarded-User". It counts only in requests from Options.TrustedProxies that
	// are not in Options.ProxyProtocol too, and there it counts more than a token. THE PROXY MUST
	// SET IT, OR REMOVE IT, IN EVERY REQUEST: whatever it passes on of its clients' own fields
	// makes them whoever they like, and so does any other program at an address that is trusted. On
	// net/http, Request.RemoteAddr must be that of the peer: middleware that takes it from a header
	// field makes UserHeader worthless.
	//
	// The user consists of visible ASCII characters, at most 1024; anything else, or the field sent
	// more than once, is 400. An empty field names nobody. The principal's Issuer is
	// TrustedProxyIssuer, and it does not expire: a stream lasts as long as the proxy keeps it
	// open. From anybody else the field is no proof of anything: the request needs another one, and
	// gets 401 even with Optional if it has none, so that a proxy that is not listed does not go
	// unnoticed.
	UserHeader string
	// ScopesHeader and EmailHeader name fields that say more of the user: its scopes, for example
	// of "X-Forwarded-Groups", separated by commas or white space, and its e-mail address, which
	// becomes Extra["email"]. What cannot be one is 400.
	ScopesHeader, EmailHeader string
	// UserScopes are scopes that each user of UserHeader has.
	UserScopes []string
	// UserHeaderUnix believes UserHeader in requests that arrive at unix sockets too. Whoever may
	// connect to the socket can then be any user: mind Options.SocketMode.
	UserHeaderUnix bool

	// Certificate returns who the client of a connection with TLS is, by its certificate, which
	// crypto/tls has verified: see auth.CertificateSubject. It is called for each request without
	// other credentials, on the goroutine of net/http, so it must be quick. The certificate of a
	// proxy in Options.TrustedProxies is that of no user if there is a UserHeader. By default
	// certificates prove nothing. Listeners without TLS know none.
	Certificate auth.CertificateVerifier
	// RequireCertificate demands a certificate that Certificate accepts in addition to the token or
	// key, whose principal counts. Users of UserHeader need none.
	RequireCertificate bool

	// Optional serves requests without credentials too, as anonymous. Credentials that are not
	// valid are refused nevertheless.
	Optional bool
	// Metadata is published at /.well-known/oauth-protected-resource, and at the same path followed
	// by that of each endpoint, and challenges name its URL. It needs Options.PublicURL or
	// Resource. The default Resource is PublicURL with the path of the endpoint. By default nothing
	// is published: clients with API keys alone do not look for an authorization server then.
	// Handlers of net/http publish nothing by themselves: see
	// auth.ProtectedResourceMetadataHandler.
	Metadata *auth.ProtectedResourceMetadata
	// Scopes are named in the challenges to callers without a valid token. They are the scopes that
	// a client should ask for first.
	Scopes []string
	// ClockSkew is how long after its Expiration a token is still accepted. Default 0.
	ClockSkew time.Duration
	// AllowMissingExpiration accepts tokens whose TokenInfo has no Expiration.
	AllowMissingExpiration bool

	// CacheTTL is how long the verdict on a valid token is kept, at most until the token expires.
	// It is also how long a revoked token may still be accepted. Default 60 s. If it is negative,
	// verdicts on valid tokens are not kept.
	CacheTTL time.Duration
	// NegativeTTL is the same for tokens that are not valid. Default 5 s. That a token could not be
	// verified is remembered for a second, at most for NegativeTTL.
	NegativeTTL time.Duration
	// MaxCached is the maximum number of verdicts that are kept on valid tokens, and on others. The
	// two do not displace each other. Default 100,000. It cannot be turned off.
	MaxCached int
	// MaxVerifying is the maximum number of calls of Verifier at a time. Default 64. Eight times as
	// many tokens may wait for their turn. A request with a token beyond that gets 503.
	MaxVerifying int
	// VerifyTimeout limits the time until the verdict on a token. A request whose token takes
	// longer gets 503. Default 10 s.
	VerifyTimeout time.Duration
}

// maxToken is the length of the longest token that is verified.
const maxToken = 8 << 10

// withAuthDefaults returns a copy of a with defaults, or nil if a is nil.
func withAuthDefaults(a *Authentication) *Authentication {
	if a == nil {
		return nil
	}
	r := *a
	r.KeyHeader = strings.TrimSpace(r.KeyHeader)
	r.Scopes = slices.Clone(r.Scopes)
	r.UserHeader, r.ScopesHeader, r.EmailHeader = strings.TrimSpace(r.UserHeader), strings.TrimSpace(r.ScopesHeader), strings.TrimSpace(r.EmailHeader)
	r.UserScopes = slices.Clone(r.UserScopes)
	if a.Metadata != nil {
		m := *a.Metadata
		r.Metadata = &m
	}
	if r.CacheTTL == 0 {
		r.CacheTTL = time.Minute
	}
	if r.NegativeTTL == 0 {
		r.NegativeTTL = 5 * time.Second
	}
	if r.MaxCached <= 0 {
		r.MaxCached = 100_000
	}
	r.ClockSkew = max(0, r.ClockSkew)
	bound(&r.MaxVerifying, 64)
	bound(&r.VerifyTimeout, 10*time.Second)
	return &r
}

// checkAuthentication returns what is wrong with o.Authenticate and o.PublicURL.
func checkAuthentication(o *Options) error {
	if o.PublicURL != "" {
		if reason := publicFault(o.PublicURL); reason != "" {
			return &OptionError{"PublicURL", o.PublicURL, reason}
		}
	}
	a := o.Authenticate
	if a == nil {
		return nil
	}
	fault := func(field, value, reason string) error {
		return &OptionError{"Authenticate." + field, value, reason}
	}
	key := strings.TrimSpace(a.KeyHeader)
	switch {
	case a.Verifier == nil && a.UserHeader == "" && a.Certificate == nil:
		return fault("Verifier", "nil", "verifies nothing")
	case a.Verifier == nil && key != "":
		return fault("KeyHeader", key, "has no Verifier")
	case key != "" && !isToken(key):
		return fault("KeyHeader", key, "is not the name of a header field")
	case strings.EqualFold(key, "Authorization"):
		return fault("KeyHeader", key, "is the field of bearer tokens")
	case a.VerifyTimeout > 0 && a.VerifyTimeout < tickUnit:
		return fault("VerifyTimeout", a.VerifyTimeout.String(), "is shorter than "+tickUnit.String())
	}
	if err := checkProofs(o, fault); err != nil {
		return err
	}
	for _, s := range a.Scopes {
		if !bearer.IsScope(s) {
			return fault("Scopes", s, "is not a scope (RFC 6749 section 3.3)")
		}
	}
	if m := a.Metadata; m != nil {
		switch {
		case m.Resource == "" && o.PublicURL == "":
			return fault("Metadata", "", "has no Resource, and there is no PublicURL to derive it from")
		case m.Resource != "" && publicOf(m.Resource) == "":
			return fault("Metadata", m.Resource, "is not an http or https URL")
		}
	}
	return nil
}

// publicFault returns why url cannot be the origin of the server, or "" if it can.
func publicFault(url string) string {
	scheme, _, _ := strings.Cut(url, "://")
	if scheme != "https" && scheme != "http" {
		return "is not an origin of http or https, such as https://mcp.example.com"
	}
	if strings.HasSuffix(url, "/") {
		return "ends with /; an origin has no path"
	}
	return originFault(url)
}

// publicOf returns the origin of a URL, or "" if it is not one of http or https.
func publicOf(url string) string {
	scheme, rest, _ := strings.Cut(url, "://")
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	if rest == "" || scheme != "https" && scheme != "http" || strings.ContainsAny(rest, "@\" \\") {
		return ""
	}
	return scheme + "://" + rest
}

// authOutcome is what authentication finds out about a request.
type authOutcome uint8

const (
	authOK          authOutcome = iota
	authNone                    // no credentials
	authInvalid                 // a token that is not valid
	authExpired                 // a token that was valid
	authMalformed               // no token can be read
	authOAuth                   // auth.ErrOAuth
	authUnavailable             // the verifier cannot tell, or takes too long
	authError                   // the verifier has failed
	authOverload                // too many tokens wait to be verified
	authBound                   // a token that is bound to what its client has not proved to have
	authCertificate             // a certificate that is missing, or not accepted
	authUntrusted               // UserHeader from nobody who is trusted, and nothing else
	numAuthOutcomes
)

var authOutcomeNames = [numAuthOutcomes]string{"ok", "none", "invalid", "expired", "malformed", "oauth_error", "unavailable", "error", "overload", "bound", "certificate", "untrusted"}

func (o authOutcome) String() string { return authOutcomeNames[o] }

// An authRefusal is how a request is refused. Its text is fixed: what a verifier says of a token is
// not for whoever sent it.
type authRefusal struct {
	status int
	code   string // of RFC 6750; "" if the request brought no token
	text   string
}

var authRefusals = [numAuthOutcomes]authRefusal{
	authNone:        {http.StatusUnauthorized, "", "a bearer token is required"},
	authInvalid:     {http.StatusUnauthorized, bearer.InvalidToken, "the token is not valid"},
	authExpired:     {http.StatusUnauthorized, bearer.InvalidToken, "the token has expired"},
	authMalformed:   {http.StatusBadRequest, bearer.InvalidRequest, "the credentials are malformed or sent more than once"},
	authOAuth:       {http.StatusBadRequest, bearer.InvalidRequest, "the token request is not valid"},
	authUnavailable: {http.StatusServiceUnavailable, "", "the token cannot be verified now"},
	authError:       {http.StatusInternalServerError, "", "the token could not be verified"},
	authOverload:    {http.StatusServiceUnavailable, "", "too many tokens wait to be verified"},
	authBound:       {http.StatusUnauthorized, bearer.InvalidToken, "the token is bound to a key that its sender has not proved to have"},
	authCertificate: {http.StatusUnauthorized, "", "a client certificate that is accepted is required"},
	authUntrusted:   {http.StatusUnauthorized, "", "the user is not named by a trusted proxy"},
}

// challenges reports whether a refusal has a challenge.
func (r *authRefusal) challenges() bool { return r.status == 401 || r.status == 400 }
