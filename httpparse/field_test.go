package httpparse

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
)

// Each word constant spells what its comment says, after as many NULs as needed.
func TestWordConstants(t *testing.T) {
	for _, c := range []struct {
		got  uint64
		want string
	}{
		{wordHost, "host:"}, {wordAccept, "accept:"}, {wordExpect, "expect:"}, {wordOrigin, "origin:"},
		{wordAcceptE, "accept-e"}, {wordNcoding, "ncoding:"},
		{wordAuthoriz, "authoriz"}, {wordAtion, "ation:"},
		{wordConnecti, "connecti"}, {wordOn, "on:"},
		{wordContent, "content-"}, {wordLength, "length:"}, {wordType, "type:"},
		{wordLastEve, "last-eve"}, {wordNtID, "nt-id:"},
		{wordMCPMeth, "mcp-meth"}, {wordOd, "od:"}, {wordMCPName, "mcp-name"},
		{wordMCPPara, "mcp-para"}, {wordM, "m-"},
		{wordMCPProt, "mcp-prot"}, {wordOcolVer, "ocol-ver"}, {wordSion, "sion:"},
		{wordMCPSess, "mcp-sess"}, {wordIonID, "ion-id:"},
		{wordTransfer, "transfer"}, {wordEncodin, "-encodin"}, {wordG, "g:"},
		{wordUserAge, "user-age"}, {wordNt, "nt:"},
		{wordGet, "GET "}, {wordPost, "POST "}, {wordDelete, "DELETE "}, {wordHTTP11, "HTTP/1.1"},
	} {
		padded := strings.Repeat("\x00", 8-len(c.want)) + c.want
		if want := binary.LittleEndian.Uint64([]byte(padded)); c.got != want {
			t.Errorf("the word for %q is %#x, want %#x", c.want, c.got, want)
		}
	}
}

// parseWholeLines accepts exactly the names that are tokens, and recognizes exactly
// those that kindOf does. The test tries every known name in any case, with any of
// its octets changed, left out or doubled.
func TestFieldNames(t *testing.T) {
	names := append([]string{"x", "x-other", "accept-language", "content-length-of-nothing",
		"a-name-longer-than-any-other-that-is-known", "x_1", "12345678", paramPrefix, paramPrefix + "a"}, kindNames[1:]...)
	for _, name := range names {
		wantKind(t, []byte(name))
		wantKind(t, []byte(strings.ToUpper(name)))
		for i := range name {
			wantKind(t, []byte(name[:i]))
			wantKind(t, []byte(name[:i]+name[i+1:]))
			wantKind(t, []byte(name[:i]+name[i:i+1]+name[i:]))
			for c := range 256 {
				changed := []byte(name)
				changed[i] = byte(c)
				wantKind(t, changed)
			}
		}
	}
}

func wantKind(t *testing.T, name []byte) {
	t.Helper()
	if bytes.IndexByte(name, ':') >= 0 {
		return
	}
	// The value is one that is valid for every kind.
	lines := append(bytes.Clone(name), ": 1\r\nbehind: it there is enough to look at\r\n"...)
	var r Request
	_, err := r.parseWholeLines(lines, 0, MaxFields)
	if err != nil {
		t.Fatalf("name %q: %v", name, err)
	}
	if want := isTokenOnly(name); want != (r.numFields > 0) {
		t.Fatalf("name %q: taken: %v, want %v", name, !want, want)
	} else if !want {
		return
	}
	got := kindOther
	for k, v := range r.first {
		if v.end != 0 {
			got = fieldKind(k)
		}
	}
	if r.HasMCPParam {
		got = kindMCPParam
	}
	if want := kindOf(name); got != want {
		t.Fatalf("name %q: kind %d, want %d", name, got, want)
	}
	if f := r.fields[0]; string(lines[f.name:f.nameEnd]) != string(name) || string(lines[f.value:f.valueEnd]) != "1" {
		t.Fatalf("name %q: read as %q, value %q", name, lines[f.name:f.nameEnd], lines[f.value:f.valueEnd])
	}
}
