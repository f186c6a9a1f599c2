package server

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/mcp"
	"pgregory.net/rapid"
)

// An islander is a stream of one endpoint, as the model knows it.
type islander struct {
	p     *fakePeer
	path  string
	ms    *mcp.Server
	wants []string // topics, and resources
	sess  *sessionClient
}

// notices are parts of the notices, by what has changed.
var isleNotices = map[string][2]string{ // in a listen stream, and in that of a session
	"tools":     {"notifications/tools/list_changed", "notifications/tools/list_changed"},
	"prompts":   {"notifications/prompts/list_changed", "notifications/prompts/list_changed"},
	"resources": {"notifications/resources/list_changed", "notifications/resources/list_changed"},
	"rig://a":   {updatedA, `"uri":"rig://a"`},
	"rig://b":   {updatedB, `"uri":"rig://b"`},
}

// TestEndpointsModel checks that a stream gets one notice of each change of its endpoint's
// mcp.Server that it listens to, and none of another's, whatever others do; that a session ID is
// valid at its path alone; and that nothing is left at the end. Endpoints are static, guests, and
// such as come and go.
func TestEndpointsModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r, other := newHarbour(t, nil)
		guest := newNamed(t, "guest", nil)
		servers := map[string]*mcp.Server{"/mcp": r.ms, "/twin": r.ms, "/other": other, "/guest": guest}
		paths := []string{"/guest", "/mcp", "/other", "/twin"}
		var stale []*sessionClient // of endpoints that were removed
		var all []*islander
		var sessions []*sessionClient
		homes := map[*sessionClient]string{}
		send := func(p *fakePeer, path, text string) {
			if path == "/guest" {
				r.visit(p, guest, text)
			} else {
				p.send(at(path, text))
			}
		}
		pick := func(rt *rapid.T) *islander {
			if len(all) == 0 {
				rt.Skip("there is no stream")
			}
			return rapid.SampledFrom(all).Draw(rt, "stream")
		}
		drop := func(i *islander) { all = slices.DeleteFunc(all, func(o *islander) bool { return o == i }) }
		anyPath := func(rt *rapid.T) string { return rapid.SampledFrom(paths).Draw(rt, "path") }
		comes := func(rt *rapid.T) string { return rapid.SampledFrom([]string{"/other", "/twin"}).Draw(rt, "path") }
		rt.Repeat(map[string]func(*rapid.T){
			"listen": func(rt *rapid.T) {
				if len(all) >= 8 {
					rt.Skip("there are enough streams")
				}
				i := &islander{p: r.dial(rapid.IntRange(0, 1).Draw(rt, "loop")), path: anyPath(rt)}
				i.ms = servers[i.path]
				var uris, lists []string
				for what := range isleNotices {
					if !rapid.Bool().Draw(rt, what) {
						continue
					}
					i.wants = append(i.wants, what)
					if strings.Contains(what, ":") {
						uris = append(uris, fmt.Sprintf("%q", what))
					} else {
						lists = append(lists, `"`+what+`ListChanged":true`)
					}
				}
				if len(uris) > 0 {
					lists = append(lists, `"resourceSubscriptions":[`+strings.Join(uris, ",")+`]`)
				}
				send(i.p, i.path, listenTo("1", strings.Join(lists, ",")).String())
				i.p.wantResponse("listen", 200)
				all = append(all, i)
			},
			"initialize": func(rt *rapid.T) {
				path := anyPath(rt)
				p := r.dial(0)
				send(p, path, post("", "", initializeBody("2025-11-25")))
				s := &sessionClient{r, "2025-11-25", p.wantResponse("initialize", 200).head.Get("Mcp-Session-Id")}
				p.fin()
				sessions, homes[s] = append(sessions, s), path
			},
			"open a session's stream": func(rt *rapid.T) {
				if len(sessions) == 0 {
					rt.Skip("there is no session")
				}
				s, path := rapid.SampledFrom(sessions).Draw(rt, "session"), anyPath(rt)
				p := r.dial(rapid.IntRange(0, 1).Draw(rt, "loop"))
				send(p, path, s.getText(""))
				if path != homes[s] {
					p.wantResponse("GET at another path", 404)
					return
				}
				p.wantResponse("GET", 200)
				i := &islander{p: p, path: path, ms: servers[path], wants: []string{"tools", "prompts", "resources"}, sess: s}
				for _, o := range all {
					if o.sess == s { // the new stream takes its place, and its subscriptions
						i.wants = o.wants
						drop(o)
						break
					}
				}
				all = append(all, i)
			},
			"subscribe": func(rt *rapid.T) {
				i := pick(rt)
				if i.sess == nil {
					rt.Skip("not of a session")
				}
				uri, path := rapid.SampledFrom([]string{"rig://a", "rig://b"}).Draw(rt, "uri"), i.path
				if rapid.Bool().Draw(rt, "elsewhere") {
					path = anyPath(rt)
				}
				p := r.dial(0)
				send(p, path, i.sess.message(fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":%q}}`, uri)))
				if path != i.path {
					p.wantResponse("subscribe at another path", 404)
				} else if p.wantResponse("subscribe", 200); !slices.Contains(i.wants, uri) {
					i.wants = append(slices.Clone(i.wants), uri)
				}
				p.fin()
			},
			"remove": func(rt *rapid.T) {
				path := comes(rt)
				if removed := r.s.Remove(path); removed != slices.Contains(paths, path) {
					rt.Fatalf("Remove(%q) returns %t", path, removed)
				}
				paths = slices.DeleteFunc(paths, func(p string) bool { return p == path })
				r.run()
				r.wait(2 * tickUnit)
				for _, i := range slices.Clone(all) {
					if i.path != path {
						continue
					}
					if got := i.p.take(); !strings.HasSuffix(got, "0\r\n\r\n") || strings.Contains(got, `"result"`) != (i.sess == nil) {
						rt.Fatalf("the stream of a removed endpoint ends with %q", got)
					}
					drop(i)
				}
				sessions = slices.DeleteFunc(sessions, func(s *sessionClient) bool {
					if homes[s] == path {
						stale = append(stale, s)
					}
					return homes[s] == path
				})
			},
			"handle": func(rt *rapid.T) {
				path := comes(rt)
				if slices.Contains(paths, path) {
					rt.Skip("it is served")
				}
				r.s.Handle(path, servers[path])
				paths = append(paths, path)
			},
			"use a session of before": func(rt *rapid.T) {
				if len(stale) == 0 {
					rt.Skip("there is none")
				}
				s := rapid.SampledFrom(stale).Draw(rt, "session")
				p := r.dial(0)
				p.send(at(homes[s], s.message(`{"jsonrpc":"2.0","id":1,"method":"ping"}`)))
				p.wantResponse("ping", 404)
				p.fin()
			},
			"close": func(rt *rapid.T) {
				i := pick(rt)
				if i.sess != nil {
					s := i.sess // its subscriptions would stay
					p := r.dial(0)
					send(p, i.path, "DELETE /mcp HTTP/1.1\r\nHost: localhost\r\nMcp-Session-Id: "+s.id+"\r\n\r\n")
					p.wantResponse("DELETE", 204)
					sessions = slices.DeleteFunc(sessions, func(o *sessionClient) bool { return o == s })
				} else {
					i.p.fin()
				}
				drop(i)
			},
			"change": func(rt *rapid.T) {
				changed := anyPath(rt)
				ms := servers[changed]
				what := rapid.SampledFrom([]string{"tools", "prompts", "resources", "rig://a", "rig://b"}).Draw(rt, "what")
				switch what {
				case "tools":
					mcp.AddInlineTool(ms, &mcp.Tool{Name: "new"}, func(*mcp.CallToolRequest, noIn) (map[string]int, error) { return nil, nil })
				case "prompts":
					ms.AddPrompt(&mcp.Prompt{Name: "new"}, nil)
				case "resources":
					ms.AddResource(&mcp.Resource{URI: "rig://new", Name: "new"}, noRead)
				default:
					updated(ms, what)
				}
				for _, i := range all {
					i.p.take()
				}
				r.tellAll()
				r.s.guests.mu.Lock()
				var guests []*service
				for _, svc := range r.s.guests.m {
					guests = append(guests, svc)
				}
				r.s.guests.mu.Unlock()
				for _, svc := range guests {
					svc.notices.flush()
				}
				r.run()
				for n, i := range all {
					kind := 0
					if i.sess != nil {
						kind = 1
					}
					got, want := i.p.take(), 0
					if i.ms == ms && slices.Contains(i.wants, what) {
						want = 1
					}
					if n1 := strings.Count(got, "data: "); n1 != want || strings.Count(got, isleNotices[what][kind]) != want {
						rt.Fatalf("stream %d at %s, which listens to %q, got %q for %s of %s", n, i.path, i.wants, got, what, changed)
					}
				}
			},
			"": func(rt *rapid.T) {
				if err := r.harmony(); err != nil {
					rt.Fatal(err)
				}
				for _, l := range r.loops {
					if _, err := l.listed(); err != nil {
						rt.Fatal(err)
					}
				}
			},
		})
		for _, l := range r.loops {
			for _, c := range slices.Clone(l.slots) {
				if c != nil {
					c.sk.(*fakePeer).fin()
				}
			}
		}
		r.s.sessions.Clear()
		r.wantGuests("at the end", 0)
		for _, l := range r.loops {
			l.eachBerth(func(b *berth) {
				if b.streams.head != noSlot || len(b.streams.byURI) > 0 || b.queued {
					rt.Fatalf("something of %s is left", b.svc.path)
				}
			})
		}
	})
}
