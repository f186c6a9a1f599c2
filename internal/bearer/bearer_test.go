package bearer

import (
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	for _, tt := range []struct {
		field, token string
		found        Found
	}{
		{"", "", None}, {"Bearer", "", None}, {"Bearer ", "", None}, {"Basic abc", "", None},
		{"Bearerabc", "", None}, {"Bearer\tabc", "", None}, {"Bear abc", "", None}, {"abc", "", None},
		{"Bearer abc", "abc", Token}, {"bEARER abc", "abc", Token}, {"Bearer   abc", "abc", Token},
		{" \tBearer abc \t", "abc", Token}, {"Bearer a-._~+/9==", "a-._~+/9==", Token},
		{"Bearer a b", "", Malformed}, {"Bearer a,b", "", Malformed}, {"Bearer =", "", Malformed},
		{"Bearer a=b", "", Malformed}, {"Bearer \x80", "", Malformed}, {`Bearer "a"`, "", Malformed},
		{"Bearer a\tb", "", Malformed}, {"Bearer " + strings.Repeat("x", 1<<16), strings.Repeat("x", 1<<16), Token},
	} {
		if token, found := Read(tt.field); token != tt.token || found != tt.found {
			t.Errorf("%.40q: got %.40q, %d, want %.40q, %d", tt.field, token, found, tt.token, tt.found)
		}
		if token, found := Read([]byte(tt.field)); string(token) != tt.token || found != tt.found {
			t.Errorf("%.40q as bytes: got %.40q, %d", tt.field, token, found)
		}
	}
	field := []byte("bearer abcdef")
	if n := testing.AllocsPerRun(100, func() { Read(field) }); n != 0 {
		t.Errorf("Read allocates %v times", n)
	}
}

func TestAppendChallenge(t *testing.T) {
	at := Metadata{"https://h", WellKnown + "/mcp"}
	for _, tt := range []struct {
		c    Challenge
		want string
	}{
		{Challenge{}, `Bearer realm="mcp"`},
		{Challenge{Description: "not without an error"}, `Bearer realm="mcp"`},
		{Challenge{Error: InvalidToken}, `Bearer error="invalid_token"`},
		{Challenge{Metadata: at}, `Bearer resource_metadata="https://h/.well-known/oauth-protected-resource/mcp"`},
		{Challenge{Error: InvalidToken, Description: "a \"b\"\r\nc", Metadata: at, Scopes: []string{"x", "y"}},
			`Bearer error="invalid_token", error_description="a \"b\"  c", ` +
				`resource_metadata="https://h/.well-known/oauth-protected-resource/mcp", scope="x y"`},
	} {
		if got := string(AppendChallenge([]byte("- "), &tt.c)); got != "- "+tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}

// Whatever is put into a challenge, no line of the head ends in it.
func FuzzChallenge(f *testing.F) {
	f.Add("a", "b", "c")
	f.Add("\r\nX: y", "\\", "\"")
	f.Fuzz(func(t *testing.T, code, text, scope string) {
		got := string(AppendChallenge(nil, &Challenge{Error: code, Description: text, Scopes: []string{scope}}))
		if !strings.HasPrefix(got, "Bearer ") || strings.ContainsAny(got, "\r\n\x00") {
			t.Errorf("got %q", got)
		}
	})
}
