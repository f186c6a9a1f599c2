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

// minKey is the least length of a session key in bytes.
const minKey = 16

// readKeys reads the session keys of a file: one a line, in hex or base64, of at
// least minKey bytes. Empty lines and those that begin with # do not count. It returns
// none for the file "". An error never holds what stands in the file.
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
			err = errors.New("a key a second time")
		}
		if err != nil {
			return nil, fmt.Errorf("session-key-file: %s:%d: %w", file, number, err)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("session-key-file: %s: no key", file)
	}
	return keys, nil
}

// parseKey reads hex, or base64 of either alphabet with or without padding. What can
// be read as hex is hex.
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
		return nil, fmt.Errorf("a key of %d bytes, at least %d are needed", len(key), minKey)
	}
	return key, nil
}
