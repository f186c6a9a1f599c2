// Package report makes one HTML page of the documents of several runs: the servers side by side, in figures and charts, for a screen of any width and for paper.
//
// The page is one file. It holds no script and refers to nothing: its content security policy allows its own style sheet, by hash, and nothing else. Charts are SVG that is drawn here.
//
// Every text of a document is hostile. Texts reach the page as [result.Plain] and through html/template, or through the escaping of the SVG writer; what is no finite number is not drawn.
package report
