package rules

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// spoken are the packages that may name flags in hints, since they are those of programs.
var spoken = []string{"examples", "internal/cli", "internal/login"}

// flagInHint matches the flags of our programs, as they define them. Those of other programs that a hint
// says to run are not among them.
func flagInHint(t *testing.T) *regexp.Regexp {
	t.Helper()
	found := map[string]bool{}
	defines := regexp.MustCompile(`^(String|Bool|Int|Int64|Duration|StringArray|StringSlice|Var|Func)(Var)?P?$`)
	for _, program := range []string{"../../examples", "../cli", "../login"} {
		eachSource(t, program, func(_ string, _ *token.FileSet, f *ast.File) {
			ast.Inspect(f, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				sel, ok := call.Fun.(*ast.SelectorExpr)
				if !ok || !defines.MatchString(sel.Sel.Name) {
					return true
				}
				for _, arg := range call.Args[:min(2, len(call.Args))] { // the name, behind the variable if there is one
					if lit, ok := arg.(*ast.BasicLit); ok && lit.Kind == token.STRING {
						if name, err := strconv.Unquote(lit.Value); err == nil && flagName.MatchString(name) {
							found[name] = true
						}
						break
					}
				}
				return true
			})
		})
	}
	names := slices.Sorted(maps.Keys(found))
	if len(names) < 40 || !found["force-rebuilding"] || !found["known-hosts"] || !found["yes"] {
		t.Fatalf("%d flags: %v", len(names), names)
	}
	return regexp.MustCompile(`(^|["` + "`" + ` (])--?(` + strings.Join(names, "|") + `)($|[^a-z-])`)
}

// flagName is a long one: the short ones are those of many programs.
var flagName = regexp.MustCompile(`^[a-z][a-z0-9-]+$`)

// commandInHint is a command of one of our programs.
var commandInHint = regexp.MustCompile(`\breplica (inspect|merge|verify|check|files|pack|unpack)\b`)

// fieldInHint is the name of a Go field, of two words or more.
var fieldInHint = regexp.MustCompile(`\b[A-Z][a-z]+[A-Z][A-Za-z]*\b`)

// known are words of that form that people know from elsewhere: options of ssh, sshd and step, Kubernetes
// kinds.
var known = []string{" --profile ", "AcceptEnv", "AuthorizedKeysFile", "DefaultDependencies", "ForceCommand",
	"GitOps", "HostCertificate", "IdentityFile", "MaxSessions", "MaxStartups", "NetworkManager", "OpenSSH",
	"PermitRootLogin", "PubkeyAuthentication", "PostgreSQL", "PgBouncer", "ProxyCommand", "ProxyJump",
	"StorageClass"}

// eachSource parses the sources below a directory, without tests.
func eachSource(t *testing.T, root string, f func(path string, files *token.FileSet, source *ast.File)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		files := token.NewFileSet()
		source, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err == nil {
			f(path, files, source)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// hintName is what a variable, a constant, a parameter or a function is called that holds or makes hints.
var hintName = regexp.MustCompile(`^(hint|hints)$|Hint$`)

// hintParams are the positions of the parameters that are hints, by the names of the functions of each
// directory.
func hintParams(t *testing.T, root string) map[string][]int {
	t.Helper()
	params := map[string][]int{}
	eachSource(t, root, func(path string, _ *token.FileSet, f *ast.File) {
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			i := 0
			for _, field := range fn.Type.Params.List {
				for _, name := range field.Names {
					if hintName.MatchString(name.Name) {
						key := filepath.Dir(path) + "." + fn.Name.Name
						params[key] = append(params[key], i)
					}
					i++
				}
			}
		}
	})
	return params
}

// eachHint calls f with the expressions that are hints: what a field, a variable, a constant or a
// parameter of that name is set to, and what a function of that name returns; and the texts of warnings.
func eachHint(dir string, source *ast.File, params map[string][]int, f func(ast.Expr)) {
	named := func(e ast.Expr) bool {
		switch e := e.(type) {
		case *ast.Ident:
			return hintName.MatchString(e.Name)
		case *ast.SelectorExpr:
			return e.Sel.Name == "Hint"
		}
		return false
	}
	ast.Inspect(source, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.KeyValueExpr:
			if key, ok := n.Key.(*ast.Ident); ok && (key.Name == "Hint" || key.Name == "hint") {
				f(n.Value)
			}
		case *ast.AssignStmt:
			for i, left := range n.Lhs {
				if named(left) && i < len(n.Rhs) {
					f(n.Rhs[i])
				}
			}
		case *ast.ValueSpec:
			for i, name := range n.Names {
				if hintName.MatchString(name.Name) && i < len(n.Values) {
					f(n.Values[i])
				}
			}
		case *ast.FuncDecl:
			if hintName.MatchString(n.Name.Name) && n.Body != nil {
				f(&ast.FuncLit{Type: n.Type, Body: n.Body})
			}
		case *ast.CallExpr:
			name := ""
			switch fun := n.Fun.(type) {
			case *ast.Ident:
				name = fun.Name
			case *ast.SelectorExpr:
				name = fun.Sel.Name
			}
			for i, arg := range n.Args {
				if name == "warn" || slices.Contains(params[dir+"."+name], i) {
					f(arg)
				}
			}
		}
		return true
	})
}

// TestHintsNameNoFlags: a package does not know the flags and the code of the program that uses it, so its
// hints name neither: they name a [lab.Setting], which programs say in their own words.
func TestHintsNameNoFlags(t *testing.T) {
	root, hints, flags := filepath.Join("..", ".."), 0, flagInHint(t)
	params := hintParams(t, root)
	eachSource(t, root, func(path string, files *token.FileSet, source *ast.File) {
		rel, err := filepath.Rel(root, path)
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(spoken, func(s string) bool { return under(filepath.ToSlash(rel), s) }) {
			return
		}
		eachHint(filepath.Dir(path), source, params, func(value ast.Expr) {
			ast.Inspect(value, func(n ast.Node) bool {
				lit, ok := n.(*ast.BasicLit)
				if !ok || lit.Kind != token.STRING {
					return true
				}
				hints++
				words := append(flags.FindAllString(lit.Value, -1), fieldInHint.FindAllString(lit.Value, -1)...)
				for _, word := range append(words, commandInHint.FindAllString(lit.Value, -1)...) {
					if !slices.Contains(known, word) {
						t.Errorf("%s: the hint %s names %s", files.Position(lit.Pos()), lit.Value, word)
					}
				}
				return true
			})
		})
	})
	if hints < 100 {
		t.Fatalf("%d hints", hints)
	}
}
