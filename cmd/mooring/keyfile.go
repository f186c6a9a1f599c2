package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// minKey is the minimum length of a session key in bytes.
const minKey = 16

// readKeys reads session keys from a file: one per line, in hex or base64, of at least minKey
// bytes each. It ignores empty lines and lines that begin with #. If file is "", there are no
// keys. An error never contains any of the file's content.
func readKeys(file string) ([][]byte, error) {
	if file == "" {
		return nil, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("session-key-file: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("session-key-file: %w", err)
	case len(text) > maxFile:
		return nil, fmt.Errorf("session-key-file: %s: larger than %d bytes", file, maxFile)
	}
	var keys [][]byte
	number := 0
	for line := range strings.Lines(string(withoutBOM(text))) {
		number++
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		key, err := parseKey(line)
		if err == nil && slices.ContainsFunc(keys, func(k []byte) bool { return bytes.Equal(k, key) }) {
			err = errors.New("duplicate key")
		}
		if err != nil {
			return nil, fmt.Errorf("session-key-file: %s:%d: %w", file, number, err)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("session-key-file: %s: no keys", file)
	}
	return keys, nil
}

// parseKey decodes hex, or base64 of either alphabet with or without padding. Text that is valid
// hex is taken as hex.
func parseKey(text string) ([]byte, error) {
	key, err := hex.DecodeString(text)
	if err != nil {
		text = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
		key, err = base64.RawStdEncoding.DecodeString(text)
	}
	switch {
	case err != nil:
		return nil, errors.New("neither hex nor base64")
	case len(key) < minKey:
		return nil, fmt.Errorf("key has only %d bytes, at least %d are required", len(key), minKey)
	}
	return key, nil
}
