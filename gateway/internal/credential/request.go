package credential

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	maxContent = 64 << 10
	maxHead    = 32 << 10
	maxToken   = 16 << 10
)

// A RefusedError says that the token endpoint refused a request.
type RefusedError struct {
	Status int
	Code   string // an error code of RFC 6749, 8693 or 8707; empty if it is none of them
}

func (e *RefusedError) Error() string {
	return strings.TrimSpace("credential: the token endpoint answered " + strconv.Itoa(e.Status) + " " + e.Code)
}

var codes = []string{"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope", "invalid_target"}

var (
	errUnreachable = errors.New("credential: the authorization server cannot be reached")
	errResponse    = errors.New("credential: the response of the authorization server is malformed")
	errToken       = errors.New("credential: the token endpoint gave something else than a bearer token")
	errMetadata    = errors.New("credential: the issuer's metadata name no token endpoint")
)

func checkURL(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "" || u.User != nil || u.Fragment != "":
		return errors.New("credential: a URL of an authorization server must be absolute, without user information and fragment")
	case u.Scheme == "https", u.Scheme == "http" && loopback(u.Hostname()):
		return nil
	}
	return errors.New("credential: a URL of an authorization server must be https, or http on loopback")
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback() || strings.EqualFold(host, "localhost")
}

func newClient(base *http.Client) *http.Client {
	c := &http.Client{}
	if base != nil {
		*c = *base
	} else {
		c.Transport = &http.Transport{
			Proxy: http.ProxyFromEnvironment, MaxResponseHeaderBytes: maxHead, ForceAttemptHTTP2: true,
			TLSHandshakeTimeout: 5 * time.Second, IdleConnTimeout: 30 * time.Second, MaxConnsPerHost: 8,
		}
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c
}

// ask gets a token from the token endpoint, and its life, which is 0 if it is not known. Without a
// subject it is the client's own.
func (s *Source) ask(ctx context.Context, subject string) (value string, life time.Duration, err error) {
	endpoint, err := s.tokenEndpoint(ctx)
	if err != nil {
		return "", 0, err
	}
	form := url.Values{"grant_type": {"client_credentials"}}
	if subject != "" {
		form = url.Values{
			"grant_type":           {"urn:ietf:params:oauth:grant-type:token-exchange"},
			"subject_token":        {subject},
			"subject_token_type":   {s.o.SubjectTokenType},
			"requested_token_type": {"urn:ietf:params:oauth:token-type:access_token"},
		}
	}
	for name, v := range map[string]string{"resource": s.o.Resource, "audience": s.o.Audience, "scope": s.o.Scope} {
		if v != "" {
			form.Set(name, v)
		}
	}
	basic := s.o.ClientSecret != "" && !s.o.SecretInBody
	if !basic && s.o.ClientID != "" {
		form.Set("client_id", s.o.ClientID)
		if s.o.ClientSecret != "" {
			form.Set("client_secret", s.o.ClientSecret)
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return "", 0, errUnreachable
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	if basic { // RFC 6749, section 2.3.1: both are form-encoded first
		req.SetBasicAuth(url.QueryEscape(s.o.ClientID), url.QueryEscape(s.o.ClientSecret))
	}
	var content struct {
		AccessToken string          `json:"access_token"`
		TokenType   string          `json:"token_type"`
		ExpiresIn   json.RawMessage `json:"expires_in"`
		Error       string          `json:"error"`
	}
	status, err := s.do(req, &content)
	switch {
	case status == 0 || status >= 500:
		return "", 0, errUnreachable
	case status != http.StatusOK:
		refused := &RefusedError{Status: status}
		if slices.Contains(codes, content.Error) {
			refused.Code = content.Error
		}
		return "", 0, refused
	case err != nil:
		return "", 0, err
	case !strings.EqualFold(content.TokenType, "Bearer") || !validToken(content.AccessToken):
		return "", 0, errToken
	}
	return "Bearer " + content.AccessToken, seconds(content.ExpiresIn), nil
}

// do sends req, decodes the content of the response into v, and returns the status, or 0 if there
// was none.
func (s *Source) do(req *http.Request, v any) (status int, err error) {
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, errUnreachable
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxContent+1))
	if err != nil || len(b) > maxContent || json.Unmarshal(b, v) != nil {
		return resp.StatusCode, errResponse
	}
	return resp.StatusCode, nil
}

// seconds returns the value of expires_in, a number or, at some servers, a string; 0 if it is
// neither.
func seconds(raw json.RawMessage) time.Duration {
	f, err := strconv.ParseFloat(strings.Trim(string(raw), `"`), 64)
	if err != nil || math.IsNaN(f) || f < 0 {
		return 0
	}
	return time.Duration(min(f, maxLife.Seconds()) * float64(time.Second))
}

// validToken reports whether s is a b64token (RFC 6750, section 2.1) and not too long.
func validToken(s string) bool {
	if s == "" || len(s) > maxToken {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~+/=", c) >= 0) {
			return false
		}
	}
	return true
}

// tokenEndpoint returns the token endpoint, which it looks up once.
func (s *Source) tokenEndpoint(ctx context.Context) (string, error) {
	s.mu.Lock()
	known := s.endpoint
	s.mu.Unlock()
	if known != "" {
		return known, nil
	}
	u, err := url.Parse(s.o.Issuer)
	if err != nil {
		return "", errMetadata
	}
	path := strings.TrimSuffix(u.Path, "/")
	fault := errUnreachable
	// RFC 8414, section 3.1, puts the well-known path before that of the issuer; OpenID Connect
	// Discovery puts it behind.
	for _, wellKnown := range []string{"/.well-known/oauth-authorization-server" + path, path + "/.well-known/openid-configuration"} {
		at := *u
		at.Path, at.RawPath, at.RawQuery = wellKnown, "", ""
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
		if err != nil {
			return "", errMetadata
		}
		req.Header.Set("Accept", "application/json")
		var metadata struct {
			Issuer        string `json:"issuer"`
			TokenEndpoint string `json:"token_endpoint"`
		}
		status, err := s.do(req, &metadata)
		if status == 0 || status >= 500 {
			continue
		}
		// "The issuer value returned MUST be identical to the authorization server's issuer
		// identifier value into which the well-known URI string was inserted".
		fault = errMetadata
		if err == nil && status == http.StatusOK && metadata.Issuer == s.o.Issuer && checkURL(metadata.TokenEndpoint) == nil {
			s.mu.Lock()
			s.endpoint = metadata.TokenEndpoint
			s.mu.Unlock()
			return metadata.TokenEndpoint, nil
		}
	}
	return "", fault
}
