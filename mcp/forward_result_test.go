package mcp

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// rawJSON draws JSON text with white space, escapes and numbers as serializers write them.
func rawJSON(t *rapid.T, depth int) string {
	space := rapid.SampledFrom([]string{"", "", "", " ", "  ", "\t"}).Draw(t, "space")
	kinds := 6
	if depth == 0 {
		kinds = 4
	}
	switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
	case 0:
		text, _ := json.Marshal(rapid.String().Draw(t, "string"))
		return space + string(text)
	case 1:
		return rapid.SampledFrom([]string{"0", "-1", "1.50", "1e3", "0.1E-7", "12345678901234567890"}).Draw(t, "number") + space
	case 2:
		return space + rapid.SampledFrom([]string{"true", "false", "null"}).Draw(t, "literal")
	case 3:
		return rapid.SampledFrom([]string{`"\u00e4\/\n"`, `"\ud83d\ude00"`, `""`, "{}", "[ ]"}).Draw(t, "odd")
	case 4:
		var all []string
		for range rapid.IntRange(0, 3).Draw(t, "length") {
			all = append(all, rawJSON(t, depth-1))
		}
		return "[" + space + strings.Join(all, ",") + "]"
	}
	return rawObject(t, depth-1, "m")
}

func rawObject(t *rapid.T, depth int, prefix string) string {
	var all []string
	for i := range rapid.IntRange(0, 4).Draw(t, "members") {
		all = append(all, fmt.Sprintf(`"%s%d"%s:%s`, prefix, i, rapid.SampledFrom([]string{"", " "}).Draw(t, "space"), rawJSON(t, depth)))
	}
	return "{" + strings.Join(all, ",") + "}"
}

// roundTrip forwards a call to an upstream that answers with raw, and returns the client's
// response.
func roundTrip(t testing.TB, raw, revision, method, members string) *answer {
	s := newTestServer(t, &ServerOptions{Logger: quiet})
	if errs := s.Replace("up", upstreamOf(answering(raw))); errs != nil {
		t.Fatal(errs)
	}
	c := &client{t: t, s: s, caps: `{}`}
	if revision != modern {
		c.session = &SessionInfo{Revision: revision}
	}
	return c.call(method, members)
}

// In the same era, the bytes of the upstream arrive as they are.
func TestForwardedBytes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		raw := rawObject(rt, 3, "x")
		a := roundTrip(t, raw, "2025-11-25", "tools/call", `"name":"up__t"`)
		if want := `{"jsonrpc":"2.0","id":1,"result":` + raw + `}`; a.body != want {
			rt.Fatalf("got  %s\nwant %s", a.body, want)
		}
		head := `{"jsonrpc":"2.0","id":1,"result":{"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"test","version":"v1.0.0"}},`
		own := `"resultType":"complete"` + strings.Replace(raw[1:], `"x0"`, `,"x0"`, 1)
		if raw == "{}" {
			own = `"resultType":"complete"}`
		}
		a = roundTrip(t, "{"+own, modern, "tools/call", `"name":"up__t"`)
		if want := head + own + `}`; a.body != want {
			rt.Fatalf("got  %s\nwant %s", a.body, want)
		}
		a = roundTrip(t, raw, modern, "prompts/get", `"name":"up__p"`)
		if !json.Valid([]byte(a.body)) || !strings.Contains(a.body, strings.TrimSuffix(raw[1:], "}")) {
			rt.Fatalf("%s is not in %s", raw, a.body)
		}
	})
}

// What differs between revisions is written as the client's revision has it.
func TestForwardedResultPatches(t *testing.T) {
	const info = `"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"test","version":"v1.0.0"}`
	tool, prompt, read := [2]string{"tools/call", `"name":"up__t"`}, [2]string{"prompts/get", `"name":"up__p"`}, [2]string{"resources/read", `"uri":"up://r"`}
	for _, tt := range []struct {
		why, raw  string
		call      [2]string
		revisions string // "" for all legacy ones
		want      string // the result
	}{
		{"modern: what results say", `{"content":[]}`, tool, modern, `{"resultType":"complete",` + info + `},"content":[]}`},
		{"modern: nothing", `{}`, tool, modern, `{"resultType":"complete",` + info + `}}`},
		{"modern: of the same era", ` {"resultType":"complete", "content":[] } `, tool, modern, `{` + info + `},"resultType":"complete", "content":[] }`},
		{"modern: the hop's metadata", `{"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"up"},"a/b":{"c": 1}},"content":[]}`, tool, modern,
			`{` + info + `,"a/b":{"c": 1}},"resultType":"complete","content":[]}`},
		{"modern: structured content of any type", `{"resultType":"complete","structuredContent":[1],"content":[]}`, tool, modern,
			`{` + info + `},"resultType":"complete","structuredContent":[1],"content":[]}`},
		{"modern: unknown results", `{"resultType":"acme/later","x":1}`, tool, modern, `{` + info + `},"resultType":"acme/later","x":1}`},
		{"modern: hints", `{"contents":[]}`, read, modern, `{"resultType":"complete",` + info + `},"contents":[],"ttlMs":0,"cacheScope":"private"}`},
		{"modern: its hints", `{"resultType":"complete","contents":[],"ttlMs":5,"cacheScope":"public"}`, read, modern,
			`{` + info + `},"resultType":"complete","contents":[],"ttlMs":5,"cacheScope":"public"}`},
		{"modern: odd hints", `{"resultType":"complete","contents":[],"ttlMs":-5,"cacheScope":"all"}`, read, modern,
			`{` + info + `},"resultType":"complete","contents":[],"ttlMs":0,"cacheScope":"private"}`},
		{"modern: no hints elsewhere", `{"messages":[]}`, prompt, modern, `{"resultType":"complete",` + info + `},"messages":[]}`},
		{"legacy: of the same era", `{"content": [ ],"_meta":{"x":1}}`, tool, "", `{"content": [ ],"_meta":{"x":1}}`},
		{"legacy: line ends", "{\n \"content\":\r\n[]}", tool, "", `{  "content":  []}`},
		{"legacy: what results say", `{"resultType":"complete","content":[],"ttlMs":1,"cacheScope":"public","_meta":{"io.modelcontextprotocol/serverInfo":{},"x":1}}`, tool, "",
			`{"content":[],"_meta":{"x":1}}`},
		{"legacy: structured content of another type", `{"content":[],"structuredContent":[1, 2]}`, tool, "2025-11-25 2025-06-18",
			`{"content":[{"type":"text","text":"[1, 2]"}]}`},
		{"legacy: the same, said already", `{"structuredContent":7,"content":[{"type":"text","text":"7"}]}`, tool, "2025-11-25 2025-06-18",
			`{"content":[{"type":"text","text":"7"}]}`},
		{"legacy: the same, alone", `{"structuredContent":"a\nb"}`, tool, "2025-11-25 2025-06-18", `{"content":[{"type":"text","text":"\"a\\nb\""}]}`},
		{"legacy: none", `{"structuredContent":null,"content":[]}`, tool, "", `{"content":[]}`},
		{"legacy: an object", `{"structuredContent":{"a":1},"content":[]}`, tool, "2025-11-25 2025-06-18", `{"structuredContent":{"a":1},"content":[]}`},
		{"legacy: an object before there were any", `{"structuredContent":{"a":1},"content":[]}`, tool, "2025-03-26 2024-11-05",
			`{"content":[{"type":"text","text":"{\"a\":1}"}]}`},
		{"legacy: unknown content", `{"content":[{"type":"text","text":"a"},{"type":"video","mimeType":"v/x","data":"AA","annotations":{"priority":1}},{"type":"image","data":"AA","mimeType":"i/x"}]}`, tool, "",
			`{"content":[{"type":"text","text":"a"},{"type":"text","text":"[video: v/x]","annotations":{"priority":1}},{"type":"image","data":"AA","mimeType":"i/x"}]}`},
		{"legacy: audio", `{"content":[{"type":"audio","mimeType":"a/x","data":"AA"}]}`, tool, "2024-11-05", `{"content":[{"type":"text","text":"[audio: a/x]"}]}`},
		{"legacy: audio later", `{"content":[{"type":"audio","mimeType":"a/x","data":"AA"}]}`, tool, "2025-03-26 2025-06-18", `{"content":[{"type":"audio","mimeType":"a/x","data":"AA"}]}`},
		{"legacy: links", `{"content":[{"type":"resource_link","uri":"u:x","name":"n","description":"d"}]}`, tool, "2025-03-26 2024-11-05", `{"content":[{"type":"text","text":"n: u:x\nd"}]}`},
		{"legacy: in prompts", `{"messages":[{"role":"user","content":{"type":"audio","mimeType":"a/x","data":"AA"}}]}`, prompt, "2024-11-05",
			`{"messages":[{"role":"user","content":{"type":"text","text":"[audio: a/x]"}}]}`},
		{"legacy: reads", `{"contents":[{"uri":"up://r","text":"x"}],"ttlMs":0,"cacheScope":"private"}`, read, "", `{"contents":[{"uri":"up://r","text":"x"}]}`},
		{"modern: unknown content", `{"content":[{"type":"video"}]}`, tool, modern, `{"resultType":"complete",` + info + `},"content":[{"type":"video"}]}`},
	} {
		revs := strings.Fields(tt.revisions)
		if tt.revisions == "" {
			revs = legacies
		}
		for _, rev := range revs {
			a := roundTrip(t, tt.raw, rev, tt.call[0], tt.call[1])
			if want := `{"jsonrpc":"2.0","id":1,"result":` + tt.want + `}`; a.body != want {
				t.Errorf("%s at %s:\ngot  %s\nwant %s", tt.why, rev, a.body, want)
			}
		}
	}
}

// Nothing that an upstream sends reaches a client as invalid JSON.
func TestForwardedHostileResults(t *testing.T) {
	long := `{"content":[{"type":"text","text":"` + strings.Repeat("x", 8<<20)
	for _, raw := range []string{
		``, `null`, `7`, `[]`, `"x"`, `{`, `{"a":}`, `{"a":1}}`, `{"a":1} {"b":2}`, `{"content":[],"content":[]}`, "{\"a\":\"\x80\"}", "{\"a\":\"\n\"}",
		`{"a":"\ud800"}`, `{"x":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`, long, long + `"}]`,
	} {
		for _, rev := range append([]string{modern}, legacies...) {
			a := roundTrip(t, raw, rev, "tools/call", `"name":"up__t"`)
			if a.code != jsonrpc.CodeInternalError || !json.Valid([]byte(a.body)) {
				t.Errorf("%.40q at %s: code %d: %.200s", raw, rev, a.code, a.body)
			}
		}
	}
	for _, raw := range []string{`{"resultType":"input_required"}`, `{"resultType":"input_required","inputRequests":{"a":7}}`, `{"resultType":"input_required","inputRequests":{"a":{"method":"tools/call"}}}`,
		`{"resultType":"input_required","inputRequests":{"a":{"method":"roots/list","params":[]}}}`} {
		for _, rev := range []string{modern, "2025-11-25"} {
			if a := roundTrip(t, raw, rev, "tools/call", `"name":"up__t"`); a.code != jsonrpc.CodeInternalError {
				t.Errorf("%s at %s: %s", raw, rev, a.body)
			}
		}
	}
	if a := roundTrip(t, `{"resultType":"acme/later"}`, "2025-11-25", "tools/call", `"name":"up__t"`); a.code != jsonrpc.CodeInternalError {
		t.Errorf("a result that the revision does not have: %s", a.body)
	}
	whole := long + `"}]}`
	if a := roundTrip(t, whole, "2025-11-25", "tools/call", `"name":"up__t"`); a.code != 0 || len(a.body) < len(whole) {
		t.Errorf("a long result: code %d, %d bytes", a.code, len(a.body))
	}
}

// An error of an upstream gets the code that the client's revision has in its place.
func TestForwardedErrors(t *testing.T) {
	const need = `{"requiredCapabilities":{"sampling":{}}}`
	tool, read := [2]string{"tools/call", `"name":"up__t"`}, [2]string{"resources/read", `"uri":"up://r"`}
	for _, tt := range []struct {
		why  string
		e    jsonrpc.Error
		call [2]string
		caps string
		code map[string]jsonrpc.Code
		data string
	}{
		{"its own", jsonrpc.Error{Code: -7, Message: "m", Data: json.RawMessage(`{"a":1}`)}, tool, `{}`, map[string]jsonrpc.Code{modern: -7, "2024-11-05": -7}, `{"a":1}`},
		{"no code", jsonrpc.Error{Message: "m"}, tool, `{}`, map[string]jsonrpc.Code{modern: -32603, "2025-11-25": -32603}, ""},
		{"not found, legacy", jsonrpc.Error{Code: -32002, Message: "m"}, read, `{}`, map[string]jsonrpc.Code{modern: -32602}, `{"uri":"up://r"}`},
		{"not found, legacy to legacy", jsonrpc.Error{Code: -32002, Message: "m", Data: json.RawMessage(`{"uri":"x:y"}`)}, read, `{}`, map[string]jsonrpc.Code{"2025-06-18": -32002}, `{"uri":"x:y"}`},
		{"not found, modern", jsonrpc.Error{Code: -32602, Message: "m", Data: json.RawMessage(`{"uri":"x:y"}`)}, read, `{}`, map[string]jsonrpc.Code{modern: -32602, "2025-06-18": -32002}, `{"uri":"x:y"}`},
		{"invalid params of a tool", jsonrpc.Error{Code: -32602, Message: "m", Data: json.RawMessage(`{"uri":"x:y"}`)}, tool, `{}`, map[string]jsonrpc.Code{modern: -32602, "2025-06-18": -32602}, `{"uri":"x:y"}`},
		{"URLs", jsonrpc.Error{Code: -32042, Message: "m", Data: json.RawMessage(`{"elicitations":[]}`)}, tool, `{}`, map[string]jsonrpc.Code{"2025-11-25": -32042}, `{"elicitations":[]}`},
		{"URLs elsewhere", jsonrpc.Error{Code: -32042, Message: "m", Data: json.RawMessage(`{"elicitations":[]}`)}, tool, `{}`, map[string]jsonrpc.Code{modern: -32603, "2025-06-18": -32603}, ""},
		{"header fields", jsonrpc.Error{Code: -32020, Message: "m"}, tool, `{}`, map[string]jsonrpc.Code{modern: -32603, "2025-06-18": -32603}, ""},
		{"version", jsonrpc.Error{Code: -32022, Message: "m", Data: json.RawMessage(`{"supported":[]}`)}, tool, `{}`, map[string]jsonrpc.Code{modern: -32603, "2025-06-18": -32603}, ""},
		{"parse error", jsonrpc.Error{Code: -32700, Message: "m"}, tool, `{}`, map[string]jsonrpc.Code{modern: -32603}, ""},
		{"the client lacks a capability", jsonrpc.Error{Code: -32021, Message: "m", Data: json.RawMessage(need)}, tool, `{}`, map[string]jsonrpc.Code{modern: -32021}, need},
		{"the backend forgot one", jsonrpc.Error{Code: -32021, Message: "m", Data: json.RawMessage(need)}, tool, `{"sampling":{}}`, map[string]jsonrpc.Code{modern: -32603}, ""},
		{"data that is not JSON", jsonrpc.Error{Code: -7, Message: "m", Data: json.RawMessage(`{"a":1,"a":2}`)}, tool, `{}`, map[string]jsonrpc.Code{modern: -7}, ""},
	} {
		e := tt.e
		s := forwarding(t, &fakeBackend{start: func(f *Forward) { f.Error(&e) }}, nil)
		for rev, code := range tt.code {
			c := newClient(t, s)
			if c.caps = tt.caps; rev != modern {
				c = newLegacyClient(t, s, rev, tt.caps)
			}
			a := c.call(tt.call[0], tt.call[1])
			if a.code != code || a.data() != tt.data || !strings.Contains(a.message, "m") {
				t.Errorf("%s at %s: %s, want code %d, data %s", tt.why, rev, a.body, code, tt.data)
			}
		}
		if string(e.Data) != string(tt.e.Data) || e.Code != tt.e.Code {
			t.Errorf("%s: the error was changed", tt.why)
		}
	}
}

// Progress has the client's token and increases; messages have at least the level that it wants.
func TestForwardedNotifications(t *testing.T) {
	var told []bool
	s := forwarding(t, &fakeBackend{start: func(f *Forward) {
		told = nil
		for _, p := range []string{`{"progressToken":9,"progress":1.0,"total":3,"message":"a","_meta":{"io.modelcontextprotocol/x":1,"k":2}}`, `{"progressToken":9,"progress":1}`, `{"progressToken":9,"progress":0.5}`,
			`{"progress":"2"}`, `{}`, "{\"progress\":\n2e0}", `{"progress":1e999}`} {
			told = append(told, f.Progress([]byte(p)))
		}
		for _, p := range []string{`{"level":"error","data": {"a":1},"logger":"l","_meta":{"io.modelcontextprotocol/y":1}}`, `{"level":"debug","data":1}`, `{"level":"loud","data":1}`, `{"data":1}`} {
			told = append(told, f.Message([]byte(p)))
		}
		f.Result([]byte(`{"content":[]}`))
		if f.Progress([]byte(`{"progress":7}`)) || f.Message([]byte(`{"level":"error","data":1}`)) {
			t.Error("told after the end")
		}
	}}, nil)
	for _, rev := range []string{modern, "2025-11-25", "2024-11-05"} {
		c := newClient(t, s)
		if rev != modern {
			c = newLegacyClient(t, s, rev, `{}`)
		}
		c.meta = `,"progressToken":"t"`
		if rev == modern {
			c.meta += `,"` + MetaKeyLogLevel + `":"warning"`
		}
		a := c.call("tools/call", `"name":"up__t"`)
		if got := fmt.Sprint(told); got != "[true false false false false true false true false false false]" {
			t.Errorf("%s: told %s", rev, got)
		}
		message := `,"message":"a","_meta":{"k":2}`
		if rev == "2024-11-05" {
			message = ""
		}
		want := []string{
			`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"t","progress":1.0,"total":3` + message + `}}`,
			`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"t","progress":2e0}}`,
			`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"error","data":{"a":1},"logger":"l"}}`,
		}
		if fmt.Sprint(a.notified) != fmt.Sprint(want) {
			t.Errorf("%s: got  %s\nwant %s", rev, a.notified, want)
		}
	}
	c := newClient(t, s) // who asks for nothing is told nothing
	if a := c.call("tools/call", `"name":"up__t"`); len(a.notified) > 0 {
		t.Errorf("told %s", a.notified)
	}
}
