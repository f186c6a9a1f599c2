package server

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/httpparse"
)

// FuzzUserHeader has what a peer sends in the fields of a proxy, and further field lines. Whatever
// it is, nobody who is not trusted becomes a user, and a trusted proxy only makes the user that it
// names once, as it is.
func FuzzUserHeader(f *testing.F) {
	f.Add("ann", "a b,c", "ann@example.com", "")
	f.Add("", "a", "", "X-Forwarded-User: ann\r\n")
	f.Add("ann lee", "\"", "\xff", "x-forwarded-user:\r\n")
	f.Add("\t ann", ",", " ", "X_Forwarded_User: bob\r\nX-Forwarded-User : bob\r\n")
	f.Add(strings.Repeat("x", maxUser+1), strings.Repeat("s ", 400), "", "X-Forwarded-Email: x\r\n")
	s := New(newRig(f, nil).ms, &Options{TrustedProxies: testProxies, Authenticate: &Authentication{
		UserHeader: "X-Forwarded-User", ScopesHeader: "X-Forwarded-Groups", EmailHeader: "X-Forwarded-Email",
	}})
	f.Fuzz(func(t *testing.T, user, scopes, email, more string) {
		head := fmt.Sprintf("GET /mcp HTTP/1.1\r\nHost: x\r\nX-Forwarded-User: %s\r\nX-Forwarded-Groups: %s\r\nX-Forwarded-Email: %s\r\n%s\r\n", user, scopes, email, more)
		var req httpparse.Request
		if _, err := httpparse.ParseRequest(&req, []byte(head), 0, &s.limits); err != nil {
			return
		}
		var named []string
		for name, value := range req.Fields() {
			if strings.EqualFold(string(name), "X-Forwarded-User") {
				named = append(named, string(value))
			}
		}
		if p := s.auth.claim(&req, false, 0); p.decided || p.verdict.who != nil || p.proxy || p.without(authNone) == authNone && len(named) > 0 {
			t.Errorf("from a stranger: %+v", p)
		}
		first, again := s.auth.claim(&req, true, 0), s.auth.claim(&req, true, 0)
		if first.decided != again.decided || first.verdict.outcome != again.verdict.outcome {
			t.Errorf("first %+v, then %+v", first, again)
		}
		who := first.verdict.who
		if (who != nil) != (first.decided && first.verdict.outcome == authOK) {
			t.Fatalf("%+v", first)
		}
		if who == nil {
			if len(named) == 1 && named[0] == "ann" && scopes == "" && email == "" && !strings.Contains(strings.ToLower(more), "x-forwarded") {
				t.Errorf("%q is not accepted", head)
			}
			return
		}
		if len(named) != 1 || who.info.UserID != named[0] || named[0] == "" || who.info.Issuer != TrustedProxyIssuer {
			t.Errorf("%q has become %+v", named, who.info)
		}
		if strings.ContainsFunc(who.info.UserID+strings.Join(who.info.Scopes, ""), func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Errorf("%+v is not visible", who.info)
		}
	})
}
