package report

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"io"

	"github.com/mooring-mcp/mooring/bench/result"
)

// maxText is how many characters of a document's text the page shows.
const maxText = 2000

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

// Write writes a page with the runs side by side in their order; there must be at least one. If
// there are several eras, each has a section of its own ([result.Groups]), and within a section the
// others are compared with the first run. Write keeps no reference to the runs. If it returns an
// error of its own, it has written nothing.
func Write(w io.Writer, runs []*result.Run) error {
	if len(runs) == 0 {
		return errors.New("report: no runs to report on")
	}
	t, err := template.New("page").Funcs(template.FuncMap{"plain": plain}).Parse(pageHTML)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	hash := sha256.Sum256([]byte(pageCSS))
	p := newPage(result.Groups(runs))
	p.Style = template.CSS(pageCSS)
	p.Policy = "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "'; img-src data:; base-uri 'none'; form-action 'none'"
	var b bytes.Buffer
	if err := t.Execute(&b, p); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// plain is applied to every text of a document on its way into the template, which escapes it.
func plain(text string) string { return result.Plain(text, maxText) }
