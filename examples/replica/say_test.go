package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/replica"
)

// TestSay gives the flags that are said for each setting of the package to the program, and compares what
// they set with what the setting stands for.
func TestSay(t *testing.T) {
	said := map[string]bool{}
	for _, c := range []struct {
		set  lab.Setting
		want mergeFlags
	}{
		{lab.Setting{Name: replica.SettingSnapshot, Value: "a name"}, mergeFlags{want: replica.Want{Snapshot: "a name"}}},
		{lab.Setting{Name: replica.SettingSnapshot}, mergeFlags{want: replica.Want{Snapshot: "NAME"}}},
		{lab.Setting{Name: replica.SettingParent, Value: "volume-snap-a.img"},
			mergeFlags{want: replica.Want{Parents: map[string]string{"volume-snap-a.img": "volume-snap-SNAPSHOT.img"}}}},
		{lab.Setting{Name: replica.SettingSize, Value: "4096"}, mergeFlags{want: replica.Want{Size: 4096}}},
		{lab.Setting{Name: replica.SettingBacking, Value: "/a disk/it's"}, mergeFlags{want: replica.Want{Backing: "/a disk/it's"}}},
		{lab.Setting{Name: replica.SettingNoBacking}, mergeFlags{want: replica.Want{NoBacking: true}}},
		{lab.Setting{Name: replica.SettingBorrow}, mergeFlags{want: replica.Want{Borrow: true}}},
		{lab.Setting{Name: replica.SettingForceRebuilding}, mergeFlags{want: replica.Want{ForceRebuilding: true}}},
		{lab.Setting{Name: replica.SettingDropMissing}, mergeFlags{want: replica.Want{DropMissing: true}}},
		{lab.Setting{Name: replica.SettingEncrypted}, mergeFlags{want: replica.Want{Encrypted: true}}},
		{lab.Setting{Name: replica.SettingDevice}, mergeFlags{output: replica.Output{Device: true}}},
		{lab.Setting{Name: replica.SettingRestart}, mergeFlags{output: replica.Output{Restart: true}}},
	} {
		said[c.set.Name] = true
		words, _, _ := strings.Cut(say(c.set), ", with nothing behind = ")
		var m mergeFlags
		flags := pflag.NewFlagSet("merge", pflag.ContinueOnError)
		m.define(flags)
		if err := flags.Parse(shellWords(words)); err != nil {
			t.Errorf("%s: %q: %v", c.set.Name, words, err)
		}
		c.want.hash = m.hash
		if !reflect.DeepEqual(m, c.want) {
			t.Errorf("%s: %q sets %+v, want %+v", c.set.Name, words, m, c.want)
		}
	}
	c, rest, err := tree().Find(shellWords(strings.TrimPrefix(say(lab.Setting{Name: replica.SettingPack}), "replica ")))
	if err != nil || c.Name() != "pack" || len(rest) != 1 {
		t.Errorf("replica.SettingPack: %v, %v", rest, err)
	}
	said[replica.SettingPack] = true
	for _, name := range settings(t) {
		if !said[name] {
			t.Errorf("%s has no words", name)
		}
	}
}

// shellWords are the words of a command, of which one in apostrophes is one.
func shellWords(command string) (words []string) {
	quoted, open, word := false, false, ""
	for _, r := range strings.ReplaceAll(command, `'\''`, "\x00") + " " {
		switch {
		case r == '\'':
			quoted, open = !quoted, true
		case r == ' ' && !quoted:
			if open {
				words = append(words, strings.ReplaceAll(word, "\x00", "'"))
			}
			open, word = false, ""
		default:
			open, word = true, word+string(r)
		}
	}
	return words
}

// settings are the names of the settings that package replica documents.
func settings(t *testing.T) (names []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "../../longhorn/replica/setting.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			name, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, name)
		}
		return true
	})
	if len(names) < 10 {
		t.Fatalf("settings: %v", names)
	}
	return names
}
