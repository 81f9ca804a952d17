package credential

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Field returns the name in a sink of a field of an entry: "cms/cloudflare#token" of an entry with a path, as Vault has them, and
// "cms-token" of a word, which a directory can have.
func Field(entry, name string) string {
	if strings.Contains(entry, "/") {
		return entry + "#" + name
	}
	return entry + "-" + name
}

// Keep keeps a value that can be had again, such as the ID of what a secret belongs to, in the place of whatever the sink has under
// the name. The error is a [lab.ErrConflict] where it has another, and nothing can be replaced there.
func Keep(ctx context.Context, sink lab.Sink, name string, value lab.Secret) error {
	has, err := sink.Get(ctx, name)
	replacer, replaces := sink.(lab.Replacer)
	switch {
	case errors.Is(err, lab.ErrNotFound):
		return sink.Put(ctx, name, value)
	case err != nil || has.Equal(value):
		return err
	case replaces:
		return replacer.Replace(ctx, name, has, value)
	}
	return &lab.Error{Op: "keep secret", Target: sink.String(), Path: name, Hint: "remove it from " + sink.String(),
		Err: fmt.Errorf("%w: it has another value, and nothing can be replaced there", lab.ErrConflict)}
}
