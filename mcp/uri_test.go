package mcp

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/internal/wirecheck"
	"pgregory.net/rapid"
)

// sameURIs are lists of spellings of one URI. The first spelling is the normalized one.
var sameURIs = [][]string{
	{"test://host/a~b", "TEST://host/a~b", "Test://HOST/a%7Eb", "test://Host/a%7eb", "test://%68ost/%61~b", "test://h%4fst/a~b"},
	{"test://host/a%20b", "test://host/a b", "TEST://Host/a%20b", "test://host/%61%20b"},
	{"test://host/%C3%A9t%C3%A9", "test://host/été", "test://host/%c3%a9t%C3%a9", "test://host/%c3%A9té"},
	{"test://host/a%2Fb", "test://host/a%2fb"},
	{"test://host/%22%3C%3E%5C%5E%60%7B%7C%7D", "test://host/\"<>\\^`{|}"},
	{"test://User@host:80/X", "test://User@HOST:80/X", "TEST://%55ser@host:80/X"},
	{"test://%5Bx%20y/z", "test://%5bx y/z"},
	{"urn:Isbn:A", "URN:Isbn:A", "urn:%49sbn:A"},
	{"file:///Tmp/x", "FILE:///Tmp/x", "file:///%54mp/%78"},
	{"test://[::1]/x", "test://[::1]/%78", "TEST://[::1]/x"},
	{"test://host?Q=A%26b", "test://HOST?Q=%41%26b"},
	{"test://host#Frag", "test://HOST#Fr%61g"},
}

// otherURIs differ from those and from each other.
var otherURIs = []string{
	"test://host/A~b", "test://host/a%25b", "test://host/a/b", "test://host/a%2520b", "test://host/a+b", "test://user@host:80/X",
	"test://User@host:81/X", "urn:isbn:A", "urn:Isbn:a", "file:///tmp/x", "test://host?q=A%26b", "test://host?Q=A&b", "test://host#frag",
	"test://host/a~b/", "test://host/./a~b", "test://host/E%CC%81",
}

func TestNormalURI(t *testing.T) {
	seen := map[string]string{}
	for _, same := range sameURIs {
		for _, uri := range same {
			if got := normalURI(uri); got != same[0] {
				t.Errorf("%q is %q, want %q", uri, got, same[0])
			}
		}
		seen[same[0]] = same[0]
	}
	for _, uri := range otherURIs {
		if was, ok := seen[normalURI(uri)]; ok {
			t.Errorf("%q is taken for %q", uri, was)
		}
		seen[normalURI(uri)] = uri
	}
	if got := normalURI("test://host/%a/%%410"); got != "test://host/%25a/%25A0" {
		t.Errorf("a percent sign alone: %q", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		uri := rapid.StringMatching(`[a-zA-Z]{1,3}:(//[a-zA-Z@.:%é]{0,6})?[/a-zA-Z%~ 0-9A-Fü?#]{0,12}`).Draw(t, "uri")
		once := normalURI(uri)
		if twice := normalURI(once); twice != once {
			t.Fatalf("%q is %q and then %q", uri, once, twice)
		}
		if isNormalURI(uri) && string(appendNormalURI(nil, uri, foldHost, false)) != uri {
			t.Fatalf("%q is not normal", uri)
		}
		if encoded, ok := encodedURI(uri, false); ok && normalURI(encoded) != once {
			t.Fatalf("%q is listed as %q, which is another", uri, encoded)
		}
	})
}

// A resource is found by every spelling of its URI, whichever it was added with, on every
// revision: to read it, to subscribe to it, to be notified of it, and in completions. It is listed
// encoded.
func TestResourceInEverySpelling(t *testing.T) {
	read := func(_ context.Context, req *ReadResourceRequest) (*ReadResourceResult, error) {
		return &ReadResourceResult{Contents: []*ResourceContents{{Text: "found"}}}, nil
	}
	completing := &ServerOptions{CompletionHandler: func(context.Context, *CompleteRequest) (*CompleteResult, error) { return nil, nil }}
	for _, same := range sameURIs {
		for _, added := range same {
			s := newTestServer(t, completing)
			s.AddResource(&Resource{Name: "r", URI: added}, read)
			s.AddResource(&Resource{Name: "r", URI: same[0]}, read) // replaces it
			s.AddResource(&Resource{Name: "r", URI: added}, read)
			var told []Change
			s.OnChange(func(ch Change) { told = append(told, ch) })
			for _, revision := range append([]string{modern}, legacies...) {
				c := newClient(t, s)
				if revision != modern {
					c = newLegacyClient(t, s, revision, `{}`)
				}
				c.schema = new(wirecheck.Checker) // it uses net/url, which accepts fewer URIs
				listed := names(c.call("resources/list", ""), "resources", "uri")
				if len(listed) != 1 || normalURI(listed[0]) != same[0] || strings.ContainsAny(listed[0], " é\"<>\\^`{|}") {
					t.Errorf("%q is listed as %q", added, listed)
				}
				for _, asked := range append(slices.Clone(same), listed...) {
					why := fmt.Sprintf("%q by %q at %s", added, asked, revision)
					c.call("resources/read", fmt.Sprintf(`"uri":%q`, asked)).wantResult(why, "found")
					c.call("completion/complete", fmt.Sprintf(`"ref":{"type":"ref/resource","uri":%q},"argument":{"name":"a","value":""}`, asked)).wantResult(why)
					var key string
					if revision == modern {
						l := c.call("subscriptions/listen", fmt.Sprintf(`"notifications":{"resourceSubscriptions":[%q,%q]}`, asked, same[0])).listen
						if l == nil || len(l.URIs) != 1 {
							t.Fatalf("%s: %+v", why, l)
						}
						key = l.URIs[0]
					} else {
						a := c.call("resources/subscribe", fmt.Sprintf(`"uri":%q`, asked))
						key = a.op.URI
						for _, other := range same {
							if b := c.call("resources/unsubscribe", fmt.Sprintf(`"uri":%q`, other)); b.op.URI != key {
								t.Errorf("%s: %q unsubscribes from %q", why, other, b.op.URI)
							}
						}
					}
					s.Subscribe(key)
					for _, updated := range same {
						told = nil
						s.ResourceUpdated(context.Background(), &ResourceUpdatedNotificationParams{URI: updated})
						if len(told) != 1 || told[0].URI != key {
							t.Errorf("%s: an update of %q reports %+v", why, updated, told)
						}
					}
					s.Unsubscribe(key)
				}
				for _, other := range otherURIs {
					if a := c.call("resources/read", fmt.Sprintf(`"uri":%q`, other)); a.code == 0 {
						t.Errorf("%q is found by %q", added, other)
					}
				}
			}
			s.RemoveResources(same[len(same)-1])
			if n := len(s.reg.Load().resources.items); n != 0 {
				t.Errorf("%q: %d left", added, n)
			}
		}
	}
}

// A notice has the subscriber's spelling of the URI, if there is a subscriber.
func TestNoticeInTheSubscribersSpelling(t *testing.T) {
	hooks := make(chan string, 4)
	s := NewServer(&Implementation{Name: "n", Version: "v"}, &ServerOptions{
		OnSubscribe: func(uri string) { hooks <- "+" + uri }, OnUnsubscribe: func(uri string) { hooks <- "-" + uri },
	})
	t.Cleanup(s.Close)
	s.AddResource(&Resource{Name: "r", URI: "Test://Harbour/a b"}, noRead)
	s.AddResourceTemplate(&ResourceTemplate{Name: "t", URITemplate: "weather://{city}/now"}, noRead)
	for _, tt := range []struct{ asked, told string }{
		{"Test://Harbour/a%20b", "Test://Harbour/a%20b"},
		{"test://harbour/a%20b", "Test://Harbour/a%20b"}, // it is the key: as it is listed
		{"weather://Berlin/now", "weather://Berlin/now"},
		{"WEATHER://berlin/now", "WEATHER://berlin/now"},
	} {
		c := newClient(t, s)
		l := c.call("subscriptions/listen", fmt.Sprintf(`"notifications":{"resourceSubscriptions":[%q]}`, tt.asked)).listen
		s.Subscribe(l.URIs[0])
		if ack := string(s.AppendAcknowledged(nil, l)); !strings.Contains(ack, tt.asked) {
			t.Errorf("%s: %s", tt.asked, ack)
		}
		ch := Change{Topic: TopicResource, URI: l.URIs[0]}
		if _, end := s.ChangeMessage(ch); !strings.Contains(string(end), `"`+tt.told+`"`) {
			t.Errorf("%s: %s", tt.asked, end)
		}
		if msg := s.SessionChangeMessage(ch); !strings.Contains(string(msg), `"`+tt.told+`"`) {
			t.Errorf("%s: %s", tt.asked, msg)
		}
		if got := <-hooks; got != "+"+tt.told {
			t.Errorf("%s: hook %s", tt.asked, got)
		}
		s.Unsubscribe(l.URIs[0])
		if got := <-hooks; got != "-"+tt.told {
			t.Errorf("%s: hook %s", tt.asked, got)
		}
	}
}

// A template matches every spelling of its expansions. Its variables keep the client's spelling.
func TestTemplateInEverySpelling(t *testing.T) {
	for _, tt := range []struct{ template, uri, id string }{
		{"test://host/x/{id}", "TEST://Host/%78/Abc", "Abc"},
		{"Test://HOST/%78/{id}", "test://host/x/%41bc", "Abc"},
		{"test://host/a b/{id}", "test://host/a%20b/é", "é"},
		{"test://host/a%20b/{id}", "test://host/a b/%c3%a9", "é"},
		{"test://host/{id}", "test://host/a b", "a b"},
		{"weather://{id}/now", "WEATHER://Berlin/now", "Berlin"},
		{"test://host/é/{id}", "test://host/%c3%A9/a%2fb", "a/b"},
		{"test://host/{id}", "test://host/%7e", "~"},
	} {
		s := newTestServer(t, &ServerOptions{CompletionHandler: func(context.Context, *CompleteRequest) (*CompleteResult, error) { return nil, nil }})
		s.AddResourceTemplate(&ResourceTemplate{Name: "t", URITemplate: tt.template}, func(_ context.Context, req *ReadResourceRequest) (*ReadResourceResult, error) {
			return &ReadResourceResult{Contents: []*ResourceContents{{Text: "id " + req.Extra.Variables["id"]}}}, nil
		})
		c := newClient(t, s)
		c.call("resources/read", fmt.Sprintf(`"uri":%q`, tt.uri)).wantResult(tt.template, `"id `+tt.id+`"`)
		for _, spelling := range []string{tt.template, names(c.call("resources/templates/list", ""), "resourceTemplates", "uriTemplate")[0]} {
			c.call("completion/complete", fmt.Sprintf(`"ref":{"type":"ref/resource","uri":%q},"argument":{"name":"id","value":""}`, spelling)).wantResult(spelling)
		}
		s.RemoveResourceTemplates(tt.template)
		if n := len(s.reg.Load().templates.items); n != 0 {
			t.Errorf("%s: %d left", tt.template, n)
		}
	}
}

// A resource whose URI is not valid is refused when it is added.
func TestNoURI(t *testing.T) {
	s := newTestServer(t, nil)
	for _, uri := range []string{"", "relative", "/x", "//host/x", "test://host/%", "test://host/%4", "test://host/%zz", "test://host/\x00", "test://host/a\nb", "test://host/\xff", "1test://x", "té://x", "test://host:port/x", "test://[::1/x"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q is taken", uri)
				}
			}()
			s.AddResource(&Resource{Name: "r", URI: uri}, noRead)
		}()
	}
}
