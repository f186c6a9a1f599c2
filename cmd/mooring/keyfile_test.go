package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadKeys(t *testing.T) {
	a, b := bytes.Repeat([]byte{0xfb, 0xef, 0xff}, 8), bytes.Repeat([]byte{7}, 16)
	padded := base64.StdEncoding.EncodeToString(append(b, 1))
	tests := []struct {
		why, text string
		want      [][]byte
	}{
		{"hex", hex.EncodeToString(a) + "\n", [][]byte{a}},
		{"hex in capitals, no line end", strings.ToUpper(hex.EncodeToString(a)), [][]byte{a}},
		{"base64", base64.StdEncoding.EncodeToString(a), [][]byte{a}},
		{"base64url", base64.URLEncoding.EncodeToString(a), [][]byte{a}},
		{"padding", padded, [][]byte{append(b, 1)}},
		{"without its padding", strings.TrimRight(padded, "="), [][]byte{append(b, 1)}},
		{"a byte order mark", "\ufeff" + hex.EncodeToString(a) + "\n", [][]byte{a}},
		{"a byte order mark and a comment", "\ufeff# keys\r\n" + hex.EncodeToString(a) + "\r\n", [][]byte{a}},
		{"several, in order", "# new\r\n" + hex.EncodeToString(b) + "\r\n\r\n  # old\r\n" + base64.StdEncoding.EncodeToString(a) + "  \r\n", [][]byte{b, a}},
	}
	for _, tt := range tests {
		got, err := readKeys(keyFile(t, tt.text))
		if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", tt.why, err, diff)
		}
	}
	if keys, err := readKeys(""); keys != nil || err != nil {
		t.Errorf("no file: %v, %v", keys, err)
	}
}

func TestRefusedKeys(t *testing.T) {
	good := strings.Repeat("0b", 32)
	for why, tt := range map[string]struct{ file, want string }{
		"no file":       {filepath.Join(t.TempDir(), "missing"), "no such file"},
		"a folder":      {t.TempDir(), "directory"},
		"empty":         {keyFile(t, ""), ": no key"},
		"comments only": {keyFile(t, "# none\n"), ": no key"},
		"too short":     {keyFile(t, good+"\n"+strings.Repeat("0b", 15)), ":2: key has only 15 bytes"},
		"not a key":     {keyFile(t, "correct horse battery staple"), ":1: neither hex nor base64"},
		"half a byte":   {keyFile(t, good+"!"), ":1: neither"},
		"twice":         {keyFile(t, good+"\n\n"+strings.ToUpper(good)), ":3: duplicate key"},
		"too large":     {keyFile(t, strings.Repeat("#\n", maxFile)), "larger than"},
	} {
		keys, err := readKeys(tt.file)
		if err == nil || keys != nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "session-key-file: ") {
			t.Errorf("%s: %v, want an error with %q", why, err, tt.want)
		}
		if err != nil && (strings.Contains(err.Error(), "0b0b") || strings.Contains(err.Error(), "horse")) {
			t.Errorf("%s: the error reveals the key: %v", why, err)
		}
	}
}

func keyFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
