package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
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
	var keys [][]byte
	err := eachLine("session-key-file", file, func(line string) error {
		key, err := parseKey(line)
		if err == nil && slices.ContainsFunc(keys, func(k []byte) bool { return bytes.Equal(k, key) }) {
			err = errors.New("duplicate key")
		}
		keys = append(keys, key)
		return err
	})
	if err != nil {
		return nil, err
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
