package jsonrpc

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/goccy/go-json/jsontext"
)

func addSeeds(f *testing.F) {
	for _, tt := range envelopeTests {
		f.Add([]byte(tt.in))
	}
	for _, tt := range syntaxTests {
		for _, texts := range [][]string{tt.yes, tt.no, tt.notEmbedded} {
			for _, text := range texts {
				f.Add([]byte(text))
			}
		}
	}
	for _, bt := range benchTexts[:2] { // large ones make the fuzzer slow
		f.Add(bt.text)
	}
	f.Add(distinctNames(smallNames + 2))
}

// FuzzDecode compares Decode with jsontext and encoding/json: all accept the same
// texts as JSON and find the same members. Decode never changes its input.
func FuzzDecode(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		before := bytes.Clone(data)
		agree(t, data)
		if IsBatch(data) {
			agreeBatch(t, data)
		}
		if jsontext.Value(data).IsValid() && depth(data) <= MaxDepth {
			agreeWalk(t, bytes.TrimSpace(data))
		}
		if !bytes.Equal(data, before) {
			t.Errorf("%q was changed to %q", before, data)
		}
	})
}

// agreeBatch compares the elements of a batch with the same elements decoded alone.
func agreeBatch(t *testing.T, data []byte) {
	b, err := DecodeBatch(data)
	if err != nil {
		return
	}
	var elements []json.RawMessage
	if err := json.Unmarshal(data, &elements); err != nil || b.Len() != len(elements) || b.Len() == 0 {
		t.Errorf("%q: %d elements, encoding/json reads %d, %v", data, b.Len(), len(elements), err)
		return
	}
	var m, alone Envelope
	i := 0
	for err := range b.Messages(&m) {
		aloneErr := alone.Decode(elements[i])
		if got, want := describe(&m, err), describe(&alone, aloneErr); got != want {
			t.Errorf("%q, element %d: %s, alone %s", data, i, got, want)
		}
		i++
	}
}

// FuzzSequence decodes texts one after another into one Envelope. Nothing of an
// earlier text, even of a refused one, may be visible in a later one. The texts are
// the lines of the input.
func FuzzSequence(f *testing.F) {
	f.Add([]byte(mutationSeeds[0] + "\n{\n" + mutationSeeds[1] + "\n[]\n" + mutationSeeds[2]))
	f.Add([]byte("{\"id\":1}\n{\"a\":1,\"a\":1}\n{\"jsonrpc\":\"2.0\",\"method\":\"\\u0061\"}"))
	f.Add(append(append(distinctNames(smallNames+1), '\n'), distinctNames(smallNames+2)...))
	f.Fuzz(func(t *testing.T, data []byte) {
		var m Envelope
		for _, line := range bytes.Split(data, []byte{'\n'}) {
			var fresh Envelope
			err, freshErr := m.Decode(line), fresh.Decode(bytes.Clone(line))
			if got, want := describe(&m, err), describe(&fresh, freshErr); got != want || err != freshErr {
				t.Errorf("%q: reused %s (%v), fresh %s (%v)", line, got, err, want, freshErr)
			}
			if err != nil && (m.Kind != 0 || m.Method != nil || m.Params != nil || m.Result != nil || m.Error != nil) {
				t.Errorf("%q: %+v is left after a refusal", line, m)
			}
		}
	})
}

// FuzzAppend writes messages and checks that they decode to the same.
func FuzzAppend(f *testing.F) {
	f.Add("tools/call", []byte(`{"a":[1]}`), int64(1), "message")
	f.Add("\u2028\"\\\x00\xff", []byte(`"x"`), int64(-32600), "é\n")
	f.Fuzz(func(t *testing.T, method string, value []byte, code int64, text string) {
		id := AppendString(nil, text)
		if len(text) > MaxIDLength/3 { // an invalid byte becomes three
			id = []byte("7")
		}
		if !jsontext.Value(value).IsValid() || depth(value) >= MaxDepth-1 {
			value = []byte("0")
		}
		value = bytes.Trim(value, " \t\r\n")
		params := append(append([]byte(`{"v":`), value...), '}')
		clean, _ := StringValue(AppendString(nil, method))
		if want := string(bytes.ToValidUTF8([]byte(method), []byte("\ufffd"))); clean != want && len(clean) <= len(want) {
			t.Errorf("%q became %q", method, clean)
		}
		e := &Error{Code: Code(code), Message: text, Data: value}

		var m Envelope
		decode := func(data []byte) {
			t.Helper()
			if err := m.Decode(data); err != nil {
				t.Fatalf("%s: %v", data, err)
			}
			agree(t, data)
		}
		decode(AppendRequest(nil, id, method, params))
		if m.Kind != KindRequest || !bytes.Equal(m.ID, id) || string(m.Method) != clean || !bytes.Equal(m.Params, params) {
			t.Errorf("request %q %q %q came back as %s", id, method, params, describe(&m, nil))
		}
		decode(AppendNotification(nil, method, nil))
		if m.Kind != KindNotification || string(m.Method) != clean || m.Params != nil {
			t.Errorf("notification %q came back as %s", method, describe(&m, nil))
		}
		decode(AppendResult(nil, id, value))
		if m.Kind != KindResult || !bytes.Equal(m.ID, id) || !bytes.Equal(m.Result, value) {
			t.Errorf("result %q %q came back as %s", id, value, describe(&m, nil))
		}
		decode(AppendError(nil, nil, e))
		got := m.ErrorObject()
		wantText, _ := StringValue(AppendString(nil, text))
		if m.ID != nil || got == nil || got.Code != e.Code || got.Message != wantText || !bytes.Equal(got.Data, value) {
			t.Errorf("error %+v came back as %+v", e, got)
		}
	})
}

// FuzzWalk gives the walking functions invalid texts. They must end and must not
// panic.
func FuzzWalk(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		n := 0
		for name, value := range Members(data) {
			n += 1 + len(name) + len(value)
			Unquote(nil, name)
			StringValue(value)
			EqualString(value, "x")
			IntValue(value)
		}
		for value := range Elements(data) {
			n += len(value)
			EqualString(value, "\ufffd")
			unescapedLen(value)
		}
		if n > 2*len(data)+2 {
			t.Errorf("%q: %d bytes were yielded", data, n)
		}
		Member(data, "a")
		Unquote(nil, data)
		EqualString(data, string(data))
		equalUnescaped(data, data)
		StringValue(data)
	})
}
