package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// eachLine calls f with each line of a file, without white space around it. It skips empty lines
// and lines that begin with #. Errors begin with the name of the setting and never contain any of
// the file's content, provided that those of f do not.
func eachLine(setting, file string, f func(line string) error) error {
	in, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("%s: %w", setting, err)
	}
	defer in.Close()
	text, err := io.ReadAll(io.LimitReader(in, maxFile+1))
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", setting, err)
	case len(text) > maxFile:
		return fmt.Errorf("%s: %s: larger than %d bytes", setting, file, maxFile)
	}
	number := 0
	for line := range strings.Lines(string(withoutBOM(text))) {
		number++
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		if err := f(line); err != nil {
			return fmt.Errorf("%s: %s:%d: %w", setting, file, number, err)
		}
	}
	return nil
}

// readSecret returns the only line of a file.
func readSecret(setting, file string) (string, error) {
	var secret string
	err := eachLine(setting, file, func(line string) error {
		if secret != "" {
			return errors.New("a second line")
		}
		secret = line
		return nil
	})
	if err == nil && secret == "" {
		err = fmt.Errorf("%s: %s: empty", setting, file)
	}
	return secret, err
}
