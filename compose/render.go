package compose

import (
	"path"
	"slices"
	"strings"
)

// Render returns the compose.yaml that is put on the machine: canonical, with pinned images, dollar
// signs doubled as Compose wants them, and with labels that say from what each container was made.
// What stands for the digests of secrets, "secret", is replaced on the way to the machine by what
// cannot be known without a file there.
func (s Stack) Render() []byte { return s.render("") }

func (s Stack) render(salt string) []byte {
	doc := clone(s.doc).(map[string]any)
	for _, sv := range s.services {
		def, ok := subtree(doc, "services", sv.name).(map[string]any)
		if !ok {
			continue
		}
		labels, _ := def["labels"].(map[string]any)
		if labels == nil {
			labels = map[string]any{}
		}
		labels[labelConfig] = sv.config
		if d := s.digests(sv, salt); d != "" {
			labels[labelFiles] = d
		}
		if salt != "" && s.holdsSecret(sv) {
			labels[labelSalt] = mark(salt)
		}
		if s.Format != "" {
			labels[labelFormat] = s.Format
		}
		def["labels"] = labels
		def["image"] = sv.image
	}
	for _, n := range s.networks {
		if def, ok := subtree(doc, "networks", n.key).(map[string]any); ok && !n.external {
			labels, _ := def["labels"].(map[string]any)
			if labels == nil {
				labels = map[string]any{}
			}
			labels[labelConfig] = n.config
			def["labels"] = labels
		}
	}
	meta := map[string]any{}
	var names, reloaded []any
	for _, f := range s.Files {
		if f.IfAbsent {
			continue
		}
		names = append(names, f.Path)
		if f.Reload {
			reloaded = append(reloaded, f.Path+":"+f.digest(salt))
		}
	}
	if names != nil {
		meta["files"] = names
	}
	if reloaded != nil {
		meta["reload"] = reloaded
	}
	if s.Format != "" {
		meta["format"] = s.Format
	}
	if len(meta) > 0 {
		doc[metaKey] = meta
	}
	return encode(escape(doc))
}

// digests returns the digests of the files that a service mounts and cannot read again while it runs.
func (s Stack) digests(sv service, salt string) string {
	var out []string
	for _, f := range s.mountedBy(sv) {
		out = append(out, f.Path+":"+f.digest(salt))
	}
	return strings.Join(out, " ")
}

// holdsSecret reports whether one of these files is a secret.
func (s Stack) holdsSecret(sv service) bool {
	return slices.ContainsFunc(s.mountedBy(sv), func(f File) bool { return !f.Secret.IsZero() })
}

// mountedBy returns the files that a service mounts and cannot read again while it runs.
func (s Stack) mountedBy(sv service) (out []File) {
	for _, f := range s.Files {
		p := path.Join(s.Dir, f.Path)
		if !f.Reload && !f.IfAbsent && slices.ContainsFunc(sv.binds, func(b string) bool {
			return b == p || strings.HasPrefix(p, strings.TrimSuffix(b, "/")+"/")
		}) {
			out = append(out, f)
		}
	}
	return out
}
