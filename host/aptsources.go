package host

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// aptSources verifies that no two files of the machine say different things of one package source: apt would
// then do nothing at all. Sources add it; it changes nothing.
type aptSources struct {
	own   []sourceFile
	whole *Whole
}

// sourceFile is a file that apt reads package sources from.
type sourceFile struct{ path, text string }

// sourceEntry is what a file says of one suite of one address.
type sourceEntry struct{ path, uri, suite, signedBy, trusted string }

// aptSourcesID is the ID of the resource, and the name of its probe.
const aptSourcesID = "apt:sources"

func (aptSources) ID() string { return aptSourcesID }

func (aptSources) Validate() lab.Problems { return nil }

// Merge implements [Merger].
func (s aptSources) Merge(other Resource) (Resource, bool) {
	o, ok := other.(aptSources)
	s.own = append(slices.Clone(s.own), o.own...)
	return s, ok
}

// Bind implements [Binder].
func (s aptSources) Bind(w *Whole) Resource {
	s.whole = w
	return s
}

func (aptSources) Relations() Relations { return Relations{Needs: []string{"apt"}} }

func (aptSources) Observe(q *Query) { q.Probe(aptSourcesID, shell("apt-sources")) }

// Plan implements [Resource].
func (s aptSources) Plan(o *Observation) ([]Op, error) {
	files := map[string]string{}
	for line := range strings.Lines(string(o.Probe(aptSourcesID).Output)) {
		if file, text, ok := strings.Cut(line, ":"); ok && isSourceFile(file) {
			files[file] += text
		}
	}
	for file := range files {
		if expected, ok := o.Expected(file); ok {
			files[file] = string(expected.Content)
		}
		for _, r := range s.whole.Find("file:" + file) {
			if f, ok := r.(File); ok && f.Absent {
				delete(files, file)
			}
		}
	}
	for _, f := range s.own {
		files[f.path] = f.text
	}
	seen := map[string]sourceEntry{}
	for _, file := range slices.Sorted(maps.Keys(files)) { // apt's order: sources.list comes first
		for _, e := range readSources(file, files[file]) {
			first, ok := seen[e.uri+" "+e.suite]
			if ok {
				if err := first.contradicts(e); err != nil {
					return nil, err
				}
			}
			seen[e.uri+" "+e.suite] = first.with(e)
		}
	}
	return nil, nil
}

// isSourceFile reports whether apt reads package sources from the file (sources.list(5)).
func isSourceFile(file string) bool {
	ext := path.Ext(file)
	return file == "/etc/apt/sources.list" ||
		path.Dir(file) == "/etc/apt/sources.list.d" && fileNamePattern.MatchString(path.Base(file)) &&
			(ext == ".list" || ext == ".sources")
}

// with returns what is known of a source after another entry: a later one may add the key.
func (e sourceEntry) with(other sourceEntry) sourceEntry {
	if e.uri == "" {
		return other
	}
	if e.signedBy == "" && other.signedBy != "" {
		e.signedBy, e.path = other.signedBy, other.path
	}
	return e
}

// contradicts returns the error if apt refuses the later entry: debReleaseIndex in apt-pkg/deb/debmetaindex.cc
// accepts a key only if there was none or the same, and no other trust at all.
func (e sourceEntry) contradicts(later sourceEntry) error {
	option, one, other := "", "", ""
	switch {
	case e.signedBy != "" && e.signedBy != later.signedBy:
		option, one, other = "signed-by", e.signedBy, later.signedBy
	case e.trusted != later.trusted:
		option, one, other = "trusted", e.trusted, later.trusted
	default:
		return nil
	}
	say := func(value string) string {
		if value == "" {
			return "no " + option
		}
		return option + " " + shorten(value)
	}
	return &lab.Error{Op: "add package source",
		Hint: "of the two keep one: remove the file with a resource of the state, file: {path: FILE, absent: true}, or the " +
			"entry from it by hand",
		Err: fmt.Errorf("%w: two files name %s %s, %s with %s and %s with %s, with which apt does nothing at all",
			lab.ErrConflict, e.uri, e.suite, e.path, say(one), later.path, say(other))}
}

// shorten returns the beginning of a text of one line or more, such as a key.
func shorten(text string) string {
	if len(text) > 80 {
		return text[:60] + "..."
	}
	return text
}

// readSources returns the entries of a file, in either format of sources.list(5). What apt could not read is left out.
func readSources(file, text string) []sourceEntry {
	if path.Ext(file) == ".sources" {
		return readDeb822(file, text)
	}
	return readOneLine(file, text)
}

// readOneLine reads lines of the form "deb [option=value ...] uri suite component ...".
func readOneLine(file, text string) (out []sourceEntry) {
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 || words[0] != "deb" && words[0] != "deb-src" {
			continue
		}
		e := sourceEntry{path: file}
		rest := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), words[0]))
		if options, after, ok := strings.Cut(rest, "]"); ok && strings.HasPrefix(rest, "[") {
			for _, option := range strings.Fields(options[1:]) {
				key, value, _ := strings.Cut(option, "=")
				e.set(key, value)
			}
			rest = after
		}
		if words = strings.Fields(rest); len(words) >= 2 {
			e.uri, e.suite = strings.TrimSuffix(words[0], "/")+"/", words[1]
			out = append(out, e)
		}
	}
	return out
}

// readDeb822 reads stanzas of fields.
func readDeb822(file, text string) (out []sourceEntry) {
	var kept strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") {
			kept.WriteString(strings.TrimRight(line, " \t\r\n") + "\n")
		}
	}
	for _, stanza := range strings.Split(kept.String(), "\n\n") {
		fields, key := map[string]string{}, ""
		for line := range strings.Lines(stanza) {
			if strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t") {
				fields[key] += " " + strings.TrimSpace(line)
			} else if name, value, ok := strings.Cut(line, ":"); ok {
				key = strings.ToLower(name)
				fields[key] = strings.TrimSpace(value)
			}
		}
		if on := strings.ToLower(fields["enabled"]); on == "no" || on == "false" || on == "0" || on == "off" {
			continue
		}
		for _, uri := range strings.Fields(fields["uris"]) {
			for _, suite := range strings.Fields(fields["suites"]) {
				e := sourceEntry{path: file, uri: strings.TrimSuffix(uri, "/") + "/", suite: suite}
				e.set("signed-by", fields["signed-by"])
				e.set("trusted", fields["trusted"])
				out = append(out, e)
			}
		}
	}
	return out
}

// set sets an option, in the form in which apt compares it.
func (e *sourceEntry) set(option, value string) {
	switch strings.ToLower(option) {
	case "signed-by":
		e.signedBy = strings.Join(strings.Fields(strings.ReplaceAll(value, ",", " ")), " ")
	case "trusted":
		e.trusted = strings.ToLower(value)
		if slices.Contains([]string{"true", "with", "on", "1", "enable"}, e.trusted) {
			e.trusted = "yes"
		}
	}
}
