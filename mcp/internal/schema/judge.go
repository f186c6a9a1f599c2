package schema

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// baseURL is the base of the schema's references. Nothing can be loaded relative
// to it, and it is removed from error texts.
const baseURL = "schema:///root"

// A noLoader refuses to load anything.
type noLoader struct{}

// errNoLoad is why an external reference is not resolved.
var errNoLoad = errors.New("nothing is fetched from outside of the schema")

func (noLoader) Load(string) (any, error) { return nil, errNoLoad }

// compileJudge compiles a parsed schema. Its errors say where in the schema the
// fault is.
func compileJudge(doc any, engine jsonschema.RegexpEngine) (s *jsonschema.Schema, err error) {
	defer func() {
		// The library may panic on schemas that it did not foresee.
		if r := recover(); r != nil {
			s, err = nil, fmt.Errorf("schema: the schema cannot be compiled: %v", r)
		}
	}()
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.UseLoader(noLoader{})
	c.UseRegexpEngine(engine)
	if err := c.AddResource(baseURL, doc); err != nil {
		return nil, compileError(err)
	}
	s, err = c.Compile(baseURL)
	if err != nil {
		return nil, compileError(err)
	}
	return s, nil
}

// compileError rewords the judge's compile error for the author of the schema.
func compileError(err error) error {
	var (
		load    *jsonschema.LoadURLError
		invalid *jsonschema.SchemaValidationError
		regex   *jsonschema.InvalidRegexError
		anchor  *jsonschema.AnchorNotFoundError
		pointer *jsonschema.JSONPointerNotFoundError
		draft   *jsonschema.UnsupportedDraftError
		failed  *jsonschema.ValidationError
	)
	switch {
	case errors.As(err, &load):
		return fmt.Errorf("schema: %q, named by $schema, $ref or $dynamicRef, is not part of the schema: %w", own(load.URL), errNoLoad)
	case errors.As(err, &invalid) && errors.As(invalid.Err, &failed):
		return fmt.Errorf("schema: not a valid JSON Schema: %s", failureText(failed))
	case errors.As(err, &regex):
		return fmt.Errorf("schema: the pattern %q at %s cannot be checked: %w", clip(regex.Regex, 200), own(regex.URL), regex.Err)
	case errors.As(err, &anchor):
		return fmt.Errorf("schema: the anchor of %s does not exist in the schema", own(anchor.Reference))
	case errors.As(err, &pointer):
		return fmt.Errorf("schema: the reference %s does not resolve within the schema", own(pointer.URL))
	case errors.As(err, &draft):
		return fmt.Errorf("schema: the dialect %s is not supported", own(draft.Error()))
	}
	return fmt.Errorf("schema: %s", clip(own(err.Error()), maxErrorText))
}

// own returns text without the base URL of the schema.
func own(text string) string { return strings.ReplaceAll(text, baseURL, "") }

// judge validates value by s. A value that cannot be judged is not valid.
func judge(s *jsonschema.Schema, value []byte) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = refused("", fmt.Sprintf("cannot be checked: %v", r))
		}
	}()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(value))
	if err != nil {
		return refused("", "not valid JSON")
	}
	err = s.Validate(v)
	if err == nil {
		return nil
	}
	var failed *jsonschema.ValidationError
	if errors.As(err, &failed) {
		return &ValidationError{text: "schema: " + failureText(failed)}
	}
	return refused("", err.Error())
}
