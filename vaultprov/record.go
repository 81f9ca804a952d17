package vaultprov

import (
	"context"
	"errors"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Records says where it is kept which objects are ours: roles have no description that could say so. There is an
// entry without data for each object, at PATH/STACK/KIND/NAME. Its custom metadata are managed_by ("lab"), owner
// ("STACK/KIND/NAME") and, of what Vault never shows again, fingerprint (see [Spec].FingerprintKey).
type Records struct {
	// Mount is a KV version 2 engine, which may be one of [Spec].Mounts. Empty means that nothing is recorded: then
	// nothing can be pruned, and a secret that Vault does not show is sent once, when its object is made.
	Mount string `yaml:"mount"`

	// Path is the directory of the records in the mount; empty means "lab". No app may write to it.
	Path string `yaml:"path"`
}

func (r Records) none() bool    { return r.Mount == "" }
func (r Records) mount() string { return strings.Trim(r.Mount, "/") }

// directory returns the path of the records of a kind.
func (p *planner) directory(kind string) string {
	path := strings.Trim(p.spec.Records.Path, "/")
	if path == "" {
		path = "lab"
	}
	return p.spec.Records.mount() + "/metadata/" + path + "/" + p.spec.stack() + "/" + kind
}

// recordName writes a key as one part of a path, so that one list names all of a kind: names and mounts have no
// colon.
func recordName(key string) string { return strings.ReplaceAll(key, "/", ":") }

// records returns the keys of a kind that are recorded as ours.
func (p *planner) records(ctx context.Context, kind string) (map[string]bool, error) {
	if p.spec.Records.none() {
		return nil, nil
	}
	names, err := p.client.list(ctx, p.directory(kind))
	if err != nil && !errors.Is(err, lab.ErrNotFound) { // the mount is not there yet
		return nil, err
	}
	keys := map[string]bool{}
	for _, name := range names {
		keys[strings.ReplaceAll(name, ":", "/")] = true
	}
	return keys, nil
}

const (
	metaManaged     = "managed_by"
	metaOwner       = "owner"
	metaFingerprint = "fingerprint"
)

// fingerprint returns what is recorded of the secrets of an object; empty: nothing.
func (p *planner) fingerprint(ctx context.Context, kind, key string) (string, error) {
	var meta struct {
		Custom map[string]string `json:"custom_metadata"`
	}
	err := p.client.read(ctx, p.directory(kind)+"/"+recordName(key), &meta)
	if errors.Is(err, lab.ErrNotFound) {
		err = nil
	}
	return meta.Custom[metaFingerprint], err
}

// record writes that an object is ours, and the fingerprint of its secrets unless that is empty.
func (p *planner) record(ctx context.Context, kind, key, fingerprint string) error {
	if p.spec.Records.none() {
		return nil
	}
	custom := map[string]any{metaManaged: "lab", metaOwner: p.spec.stack() + "/" + kind + "/" + key}
	if fingerprint != "" {
		custom[metaFingerprint] = fingerprint
	}
	return p.client.write(ctx, p.directory(kind)+"/"+recordName(key), fields{"custom_metadata": custom}, nil)
}

// forget removes the record of an object that was removed.
func (p *planner) forget(ctx context.Context, kind, key string) error {
	return p.client.delete(ctx, p.directory(kind)+"/"+recordName(key))
}
