package rules

import (
	"go/ast"
	"go/types"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/go/packages"

	"gitea.arcodange.lab/arcodange-org/lab/internal/dag"
)

// engine are the files of package host that know resources by their interfaces alone, in the order in which they can be
// read: each refers only to those before it.
var engine = []string{
	"facts.go", "shell.go", "query.go", "observation.go", "frame.go", "answer.go", "resource.go", "select.go",
	"order.go", "state.go", "reconcile.go",
	"payload.go", "script.go", "progress.go", "machine.go", "executor.go", "reboot.go", "plan.go", "fleet.go",
}

// TestEngineNamesNoKind: what the engine can do for a kind of ours it can do for anybody's.
func TestEngineNamesNoKind(t *testing.T) {
	host := load(t, module+"/host")
	resource := host.Types.Scope().Lookup("Resource").Type().Underlying().(*types.Interface)
	isKind := func(o types.Object) bool {
		name, ok := o.(*types.TypeName)
		return ok && o.Pkg() == host.Types && !types.IsInterface(name.Type()) && types.Implements(name.Type(), resource)
	}
	kinds := 0
	for _, name := range host.Types.Scope().Names() {
		if isKind(host.Types.Scope().Lookup(name)) {
			kinds++
		}
	}
	if kinds < 28 {
		t.Fatalf("only %d kinds of resources were found", kinds)
	}
	for file, uses := range usesByFile(host) {
		if !slices.Contains(engine, file) {
			continue
		}
		for id, o := range uses {
			if isKind(o) {
				t.Errorf("%s names the kind %s: give the engine an interface", host.Fset.Position(id.Pos()), o.Name())
			}
		}
	}
}

// TestEngineReferencesGoOneWay: a reader of the engine need not jump to and fro.
func TestEngineReferencesGoOneWay(t *testing.T) {
	host := load(t, module+"/host")
	refers := map[string]map[string]string{} // file -> file -> what it refers to
	for file, uses := range usesByFile(host) {
		for _, o := range uses {
			if o.Pkg() != host.Types || o.Parent() != host.Types.Scope() {
				continue // of another package, or a member
			}
			if to := filepath.Base(host.Fset.Position(o.Pos()).Filename); to != file {
				if refers[file] == nil {
					refers[file] = map[string]string{}
				}
				refers[file][to] = o.Name()
			}
		}
	}
	files := slices.Sorted(maps.Keys(refers))
	_, cycle := dag.Sort(len(files), func(n int) (after []int) {
		for to := range refers[files[n]] {
			if i := slices.Index(files, to); i >= 0 {
				after = append(after, i)
			}
		}
		slices.Sort(after)
		return after
	})
	if cycle != nil {
		var way []string
		for i, n := range cycle[:len(cycle)-1] {
			next := files[cycle[i+1]]
			way = append(way, files[n]+" refers to "+refers[files[n]][next]+" of "+next)
		}
		t.Errorf("a cycle of files: %s", strings.Join(way, ", "))
	}
	for i, file := range engine {
		for to, name := range refers[file] {
			if at := slices.Index(engine, to); at > i {
				t.Errorf("%s refers to %s of %s, which comes after it", file, name, to)
			}
		}
	}
}

func load(t *testing.T, path string) *packages.Package {
	t.Helper()
	pkgs, err := packages.Load(&packages.Config{Mode: packages.NeedName | packages.NeedFiles | packages.NeedSyntax |
		packages.NeedTypes | packages.NeedTypesInfo | packages.NeedImports | packages.NeedDeps |
		packages.NeedExportFile}, path)
	if err != nil || len(pkgs) != 1 || len(pkgs[0].Errors) > 0 {
		t.Fatalf("%s could not be read: %v, %d packages", path, err, len(pkgs))
	}
	return pkgs[0]
}

// usesByFile returns what each file of a package refers to.
func usesByFile(p *packages.Package) map[string]map[*ast.Ident]types.Object {
	out := map[string]map[*ast.Ident]types.Object{}
	for id, o := range p.TypesInfo.Uses {
		file := filepath.Base(p.Fset.Position(id.Pos()).Filename)
		if out[file] == nil {
			out[file] = map[*ast.Ident]types.Object{}
		}
		out[file][id] = o
	}
	return out
}
