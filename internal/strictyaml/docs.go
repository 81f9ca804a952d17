package strictyaml

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Docs are the comments of types and fields by their Go names: "host.File", "host.File.Mode".
type Docs map[string]string

// ReadDocs reads the comments of the packages in the directories, without their tests. It is for a
// test that keeps a schema up to date with the source; programs embed the schema.
func ReadDocs(dirs ...string) (Docs, error) {
	docs := Docs{}
	for _, dir := range dirs {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			return nil, err
		}
		if len(files) == 0 {
			return nil, fmt.Errorf("strictyaml: read comments: no Go files in %s", dir)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			source, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			if err := docs.read(file, source); err != nil {
				return nil, err
			}
		}
	}
	return docs, nil
}

func (d Docs) read(file string, source []byte) error {
	f, err := parser.ParseFile(token.NewFileSet(), file, source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	for _, decl := range f.Decls {
		g, ok := decl.(*ast.GenDecl)
		if !ok || g.Tok != token.TYPE {
			continue
		}
		for _, spec := range g.Specs {
			t := spec.(*ast.TypeSpec)
			name := f.Name.Name + "." + t.Name.Name
			doc := t.Doc
			if doc == nil && len(g.Specs) == 1 {
				doc = g.Doc
			}
			d.add(name, doc)
			s, ok := t.Type.(*ast.StructType)
			if !ok {
				continue
			}
			for _, field := range s.Fields.List {
				doc := field.Doc
				if doc == nil {
					doc = field.Comment
				}
				for _, n := range field.Names {
					d.add(name+"."+n.Name, doc)
				}
			}
		}
	}
	return nil
}

func (d Docs) add(name string, doc *ast.CommentGroup) {
	if text := describeComment(doc.Text()); text != "" {
		d[name] = text
	}
}

var docLink = regexp.MustCompile(`\[\*?([A-Za-z][A-Za-z0-9_.]*)\]`)

// describeComment returns a comment with one line per paragraph, and without the brackets of links.
func describeComment(text string) string {
	paragraphs := strings.Split(strings.TrimSpace(text), "\n\n")
	for i, p := range paragraphs {
		if !strings.HasPrefix(p, "\t") { // code keeps its lines
			p = strings.Join(strings.Fields(p), " ")
		}
		paragraphs[i] = docLink.ReplaceAllString(p, "$1")
	}
	return strings.Join(paragraphs, "\n\n")
}
