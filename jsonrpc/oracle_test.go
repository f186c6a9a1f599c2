package jsonrpc

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/goccy/go-json/jsontext"
)

// acceptsText reports whether the scanner accepts text as JSON. It asks Decode and
// DecodeBatch, which must agree.
func acceptsText(t *testing.T, text string) bool {
	t.Helper()
	data := []byte(text)
	var m Envelope
	got := acceptedJSON(m.Decode(data))
	if _, err := DecodeBatch(data); acceptedJSON(err) != got {
		t.Errorf("%q: Decode and DecodeBatch do not agree", text)
	}
	if string(data) != text {
		t.Errorf("%q was changed to %q", text, data)
	}
	agree(t, data)
	return got
}

// acceptedJSON reports whether a result of Decode says that the text is JSON.
func acceptedJSON(err error) bool {
	e, refused := err.(*Error)
	return !refused || e.Code != CodeParseError
}

// agree compares the result of Decode with those of two other parsers: jsontext has
// the same rules except for the depth, and encoding/json has fewer.
func agree(t *testing.T, data []byte) {
	t.Helper()
	var m Envelope
	err := m.Decode(data)
	got := acceptedJSON(err)
	want := jsontext.Value(data).IsValid() && depth(data) <= MaxDepth
	if got != want {
		t.Errorf("%q: accepted %v (%v), jsontext says %v", data, got, err, want)
	}
	if got && !json.Valid(data) {
		t.Errorf("%q: accepted, encoding/json refuses it", data)
	}
	if err == nil {
		agreeMessage(t, data, &m)
	}
}

// agreeMessage compares a decoded message with what encoding/json reads into a map.
func agreeMessage(t *testing.T, data []byte, m *Envelope) {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		t.Errorf("%q: accepted as a message, encoding/json: %v", data, err)
		return
	}
	// A null member counts as absent, except for the one that makes a response.
	for _, name := range []string{"id", "method", "params", "error"} {
		if string(members[name]) == "null" {
			delete(members, name)
		}
	}
	if string(members["result"]) == "null" && (members["method"] != nil || members["error"] != nil) {
		delete(members, "result")
	}
	for name, got := range map[string][]byte{"id": m.ID, "params": m.Params, "result": m.Result, "error": m.Error} {
		if !bytes.Equal(got, members[name]) {
			t.Errorf("%q: %s is %q, encoding/json reads %q", data, name, got, members[name])
		}
	}
	var version, method string
	if json.Unmarshal(members["jsonrpc"], &version); version != "2.0" {
		t.Errorf("%q: accepted with version %q", data, version)
	}
	if members["method"] != nil {
		if err := json.Unmarshal(members["method"], &method); err != nil || method != string(m.Method) {
			t.Errorf("%q: method is %q, encoding/json reads %q, %v", data, m.Method, method, err)
		}
	} else if m.Method != nil {
		t.Errorf("%q: method is %q, there is none", data, m.Method)
	}
	wantKind := map[[3]bool]Kind{ // method, id, result
		{true, true, false}: KindRequest, {true, false, false}: KindNotification, {false, true, true}: KindResult,
		{false, true, false}: KindErrorResponse, {false, false, false}: KindErrorResponse,
	}[[3]bool{members["method"] != nil, members["id"] != nil, members["result"] != nil}]
	if m.Kind != wantKind {
		t.Errorf("%q: kind %v, want %v", data, m.Kind, wantKind)
	}
	for _, v := range [][]byte{m.Params, m.Result, m.Error} {
		agreeWalk(t, v)
	}
}

// depth returns how many objects and arrays are open at once in a valid text.
func depth(data []byte) int {
	n, most := 0, 0
	for inString, i := false, 0; i < len(data); i++ {
		switch c := data[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '[' || c == '{':
			n++
			most = max(most, n)
		case c == ']' || c == '}':
			n--
		}
	}
	return most
}

// agreeWalk compares the walking functions with encoding/json on a valid value, and
// on the values in it.
func agreeWalk(t *testing.T, value []byte) {
	t.Helper()
	if len(value) == 0 {
		return
	}
	fail := func(what string, got, want any) {
		t.Helper()
		t.Errorf("%s of %q: got %v, want %v", what, value, got, want)
	}
	if n, ok := IntValue(value); true {
		var want int64
		wantOK := value[0] != 'n' && json.Unmarshal(value, &want) == nil
		if ok != wantOK || ok && n != want {
			fail("IntValue", n, want)
		}
	}
	if s, ok := StringValue(value); ok != (value[0] == '"') {
		fail("StringValue", ok, value[0] == '"')
	} else if ok {
		var want string
		if err := json.Unmarshal(value, &want); err != nil || s != want {
			fail("StringValue", s, want)
		}
		if got := Unquote([]byte("x"), value); string(got) != "x"+want {
			fail("Unquote", string(got), "x"+want)
		}
		if got := unescapedLen(inner(value)); got != len(want) {
			fail("unescapedLen", got, len(want))
		}
		if !EqualString(value, want) || EqualString(value, want+"x") || want != "" && EqualString(value, want[:len(want)-1]) {
			fail("EqualString", false, want)
		}
	}
	var members map[string]json.RawMessage
	var elements []json.RawMessage
	switch value[0] {
	case '{':
		json.Unmarshal(value, &members)
	case '[':
		json.Unmarshal(value, &elements)
	}
	n := 0
	for name, v := range Members(value) {
		key := string(Unquote(nil, name))
		if want, ok := members[key]; !ok || !bytes.Equal(v, want) {
			fail("Members: "+key, string(v), string(want))
		}
		if got, ok := Member(value, key); !ok || !bytes.Equal(got, v) {
			fail("Member: "+key, string(got), string(v))
		}
		agreeWalk(t, v)
		n++
	}
	if n != len(members) {
		fail("number of members", n, len(members))
	}
	n = 0
	for v := range Elements(value) {
		if n >= len(elements) || !bytes.Equal(v, elements[n]) {
			fail("Elements", string(v), elements)
			break
		}
		agreeWalk(t, v)
		n++
	}
	if n != len(elements) {
		fail("number of elements", n, len(elements))
	}
}

// mutationSeeds are messages with everything that a message can have.
var mutationSeeds = []string{
	`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"é\n","n":[-1.5e3,true,null,{}],"_meta":{"a":"\ud83d\ude00"}}}`,
	`{"id":"a\u0041","error":{"code":-32600,"message":"m","data":[0]},"jsonrpc":"2.0"}`,
	` {"jsonrpc" : "2.0", "id":-1, "result":{"a":"b","\u0062":""}} `,
}

func TestTruncations(t *testing.T) {
	for _, seed := range mutationSeeds {
		for i := range len(seed) + 1 {
			agree(t, []byte(seed[:i]))
			agree(t, []byte(seed[i:]))
			agree(t, []byte(seed[:i]+seed))
		}
	}
}

// The test makes every one-byte change, insertion and deletion.
func TestMutations(t *testing.T) {
	step := 1
	if testing.Short() {
		step = 7
	}
	for _, seed := range mutationSeeds {
		for i := range len(seed) {
			agree(t, []byte(seed[:i]+seed[i+1:]))
			for c := 0; c < 256; c += step {
				agree(t, []byte(seed[:i]+string([]byte{byte(c)})+seed[i+1:]))
				agree(t, []byte(seed[:i]+string([]byte{byte(c)})+seed[i:]))
			}
		}
	}
}
