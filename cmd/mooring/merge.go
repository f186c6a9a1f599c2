package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/spf13/cobra"
)

// maxFile is the maximum size in bytes of a configuration file or a key file.
const maxFile = 1 << 20

// An entry is a setting in a configuration file.
type entry struct {
	values []string
	line   int
}

// merge fills in the settings that are not on the command line of cmd. It takes each from the
// environment, or else from the file, unless file is "". Errors name the source.
func merge(cmd *cobra.Command, names []string, file string, getenv func(string) string) error {
	entries := map[string]entry{}
	if file != "" {
		var err error
		if entries, err = readFile(file, names); err != nil {
			return err
		}
	}
	for _, name := range names {
		if cmd.Flags().Changed(name) {
			continue
		}
		variable := envPrefix + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		if value := getenv(variable); value != "" {
			if err := cmd.Flags().Set(name, value); err != nil {
				return fmt.Errorf("%s: %w", variable, cause(err))
			}
			continue
		}
		for _, value := range entries[name].values {
			if err := cmd.Flags().Set(name, value); err != nil {
				return fmt.Errorf("%s:%d: %s: %w", file, entries[name].line, name, cause(err))
			}
		}
	}
	return nil
}

// cause returns err without the text that pflag wraps around it, which names a flag although the
// value did not come from one.
func cause(err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}

// readFile reads a YAML file that maps names to scalars or lists of scalars. Anything else is an
// error: an unknown or duplicate name, an anchor, a second document.
func readFile(file string, names []string) (map[string]entry, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s: larger than %d bytes", file, maxFile)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	parsed, err := parser.ParseBytes(withoutBOM(text), 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %s", file, yaml.FormatError(err, false, false))
	}
	entries := map[string]entry{}
	var documents int
	for _, doc := range parsed.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.CommentType {
			continue
		}
		if documents++; documents > 1 {
			return nil, fmt.Errorf("%s: more than one document", file)
		}
		for _, pair := range pairsOf(doc.Body) {
			key := pair.Key.GetToken()
			name, line := key.Value, key.Position.Line
			if pair.Key.Type() != ast.StringType || !slices.Contains(names, name) {
				return nil, fmt.Errorf("%s:%d: unknown setting %q", file, line, name)
			}
			if _, twice := entries[name]; twice {
				return nil, fmt.Errorf("%s:%d: %s is set twice", file, line, name)
			}
			values, ok := scalarsOf(pair.Value)
			if !ok {
				return nil, fmt.Errorf("%s:%d: %s: not a value or a list of values", file, line, name)
			}
			entries[name] = entry{values, line}
		}
		if pairsOf(doc.Body) == nil {
			return nil, fmt.Errorf("%s: not a mapping of settings to values", file)
		}
	}
	return entries, nil
}

// withoutBOM returns text without the byte order mark that some Windows editors put at its start.
func withoutBOM(text []byte) []byte { return bytes.TrimPrefix(text, []byte("\ufeff")) }

func pairsOf(n ast.Node) []*ast.MappingValueNode {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}
	}
	return nil
}

// scalarsOf returns the text of a scalar, or the texts of a list of scalars. It reports false for
// any other node.
func scalarsOf(n ast.Node) ([]string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return []string{n.Value}, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return []string{n.GetToken().Value}, true
	case *ast.SequenceNode:
		var all []string
		for _, v := range n.Values {
			one, ok := scalarsOf(v)
			if _, nested := v.(*ast.SequenceNode); !ok || nested {
				return nil, false
			}
			all = append(all, one...)
		}
		return all, true
	}
	return nil, false
}

// oneLine returns the text of err on a single line.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
