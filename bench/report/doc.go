// Package report renders the documents of several runs as one HTML page: the servers side by side,
// in figures and charts, for a screen of any width and for paper.
//
// The page is one file. It contains no script and refers to nothing: its content security policy
// allows its own style sheet, by hash, and nothing else. Charts are SVG that this package draws.
//
// Every text in a document is treated as hostile. Texts reach the page as [result.Plain] and
// through html/template, or through the escaping of the SVG writer. Numbers that are not finite are
// not drawn.
package report
