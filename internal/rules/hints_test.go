package rules

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// spoken are the packages that may name flags in hints, since they are those of programs: the replica
// packages serve the one program replica.
var spoken = []string{"examples", "internal/cli", "internal/login", "longhorn"}

// flagInHint is a flag of one of our programs. Those of other programs that a hint says to run are
// not among them.
var flagInHint = regexp.MustCompile(`(^|[ (])--?(host|identity|known-hosts|accept-new|sudo-password|jump|var|plain|secret|` +
	`env|limit|only|out|plan|confirm|config|allow|allow-pg15|programs|dsn|conns|dump|sandbox|yes|update)\b`)

// fieldInHint is the name of a Go field, of two words or more.
var fieldInHint = regexp.MustCompile(`\b[A-Z][a-z]+[A-Z][A-Za-z]*\b`)

// known are words of that form that people know from elsewhere: options of sshd, Kubernetes kinds.
var known = []string{"AcceptEnv", "AuthorizedKeysFile", "DefaultDependencies", "ForceCommand", "GitOps", "HostCertificate", "MaxSessions",
	"MaxStartups", "NetworkManager", "OpenSSH", "PermitRootLogin", "PostgreSQL", "PgBouncer", "ProxyCommand", "ProxyJump", "StorageClass"}

// TestHintsNameNoFlags: a package does not know the flags and the code of the program that uses it, so its
// hints name neither: they name a [lab.Setting], which programs say in their own words.
func TestHintsNameNoFlags(t *testing.T) {
	root, hints := filepath.Join("..", ".."), 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(root, path)
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") ||
			slices.ContainsFunc(spoken, func(s string) bool { return under(filepath.ToSlash(rel), s) }) {
			return err
		}
		files := token.NewFileSet()
		f, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		check := func(value ast.Expr) {
			ast.Inspect(value, func(n ast.Node) bool {
				lit, ok := n.(*ast.BasicLit)
				if !ok || lit.Kind != token.STRING {
					return true
				}
				hints++
				for _, word := range append(flagInHint.FindAllString(lit.Value, -1), fieldInHint.FindAllString(lit.Value, -1)...) {
					if !slices.Contains(known, word) {
						t.Errorf("%s: the hint %s names %s", files.Position(lit.Pos()), lit.Value, word)
					}
				}
				return true
			})
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.KeyValueExpr:
				if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Hint" {
					check(n.Value)
				}
			case *ast.AssignStmt:
				for i, left := range n.Lhs {
					sel, field := left.(*ast.SelectorExpr)
					id, variable := left.(*ast.Ident)
					if (field && sel.Sel.Name == "Hint" || variable && id.Name == "hint") && i < len(n.Rhs) {
						check(n.Rhs[i])
					}
				}
			}
			return true
		})
		return nil
	})
	if err != nil || hints < 100 {
		t.Fatalf("%d hints, %v", hints, err)
	}
}
