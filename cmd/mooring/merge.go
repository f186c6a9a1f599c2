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

// maxFile bounds a configuration file.
const maxFile = 1 << 20

// An entry is a setting in a file.
type entry struct {
	values []string
	line   int
}

// merge fills in the settings that the command line of cmd does not give: from the
// environment, and from the file if it is not "". Errors name the source.
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

// cause returns err without the sentence that the flag package puts around it,
// which speaks of a flag that nobody gave.
func cause(err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}

// readFile reads a YAML file that maps names to scalars or lists of scalars, and
// nothing else: no unknown name, none twice, no anchors, one document.
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
				return nil, fmt.Errorf("%s:%d: %s twice", file, line, name)
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

// withoutBOM returns text without the byte order mark that editors on Windows put in front of it.
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

// scalarsOf returns the texts of a scalar, or of the scalars of a list.
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

// oneLine returns the text of err without line breaks.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
