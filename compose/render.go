package compose

import (
	"path"
	"strings"
)

// Render returns the compose.yaml that is put on the machine: canonical, with pinned images, dollar
// signs doubled as Compose wants them, and with labels that say from what each container was made.
func (s Stack) Render() []byte {
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
		if d := s.digests(sv); d != "" {
			labels[labelFiles] = d
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
			reloaded = append(reloaded, f.Path+":"+f.digest())
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
func (s Stack) digests(sv service) string {
	var out []string
	for _, f := range s.Files {
		if f.Reload || f.IfAbsent {
			continue
		}
		p := path.Join(s.Dir, f.Path)
		for _, b := range sv.binds {
			if b == p || strings.HasPrefix(p, strings.TrimSuffix(b, "/")+"/") {
				out = append(out, f.Path+":"+f.digest())
				break
			}
		}
	}
	return strings.Join(out, " ")
}
