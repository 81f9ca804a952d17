package compose

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strings"

	"github.com/distribution/reference"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// manifestTypes are the kinds of manifests that docker pull accepts, an image of several platforms first.
const manifestTypes = "application/vnd.oci.image.index.v1+json, " +
	"application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.oci.image.manifest.v1+json, " +
	"application/vnd.docker.distribution.manifest.v2+json"

// maxManifest is how long a manifest may be, in bytes: the 4 MiB that the distribution specification
// asks registries to take at least.
const maxManifest = 4 << 20

// ResolveAt asks the registries of the images what they are now, through the client, as somebody who
// is not logged in: the pins are those that [Resolve] returns from a machine's Docker Engine, and no
// machine is needed. A registry is asked over HTTPS, and one on this machine (localhost, 127.0.0.0/8)
// over HTTP, as Docker does.
//
// Errors are [lab.ErrNotFound], [lab.ErrUnauthorized], for an image that is private or that does not exist,
// [lab.ErrUnreachable] and [lab.ErrRefused], for a registry outside the client's boundary. They are
// those of all images.
func ResolveAt(ctx context.Context, client *http.Client, images []string) (Lock, error) {
	lock := Lock{}
	var errs []error
	for _, image := range images {
		digest, err := digestAt(ctx, client, image)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		lock[image] = Pin{Digest: digest}
	}
	return lock, errors.Join(errs...)
}

// digestAt returns the digest of an image at its registry.
func digestAt(ctx context.Context, client *http.Client, image string) (string, error) {
	named, err := reference.ParseDockerRef(image)
	if err != nil {
		return "", &lab.Error{Op: "resolve image", Path: image, Err: fmt.Errorf("%w: %w", lab.ErrInvalid, err)}
	}
	tagged, ok := named.(reference.Tagged)
	if !ok {
		return "", &lab.Error{Op: "resolve image", Path: image, Err: fmt.Errorf("%w: it has a digest", lab.ErrInvalid)}
	}
	r := registryOf(client, named)
	digest, err := r.digest(ctx, tagged.Tag())
	if err != nil {
		at := lab.Error{Op: "resolve image", Target: r.base.Host, Path: image,
			Hint: "see whether the name and the tag are right", Err: err}
		switch {
		case errors.Is(err, lab.ErrUnauthorized):
			at.Hint, at.Set = "it does not exist, or is private: ask a machine whose docker is logged in",
				lab.Setting{Name: SettingResolve}
		case errors.Is(err, lab.ErrUnreachable):
			at.Hint, at.Set = "ask a machine that reaches the registry", lab.Setting{Name: SettingResolve}
		}
		return "", &at
	}
	return digest, nil
}

// registry is a repository of a registry.
type registry struct {
	client *http.Client
	base   url.URL // "https://registry-1.docker.io/v2/library/nginx"
	token  string  // empty until the registry asks for one
}

func registryOf(client *http.Client, named reference.Named) *registry {
	host := reference.Domain(named)
	scheme := "https"
	if onLoopback(host) {
		scheme = "http"
	}
	if host == "docker.io" {
		host = "registry-1.docker.io" // where its API is
	}
	return &registry{client: client, base: url.URL{Scheme: scheme, Host: host, Path: "/v2/" + reference.Path(named)}}
}

// onLoopback reports whether a host, with or without a port, is this machine.
func onLoopback(host string) bool {
	name := (&url.URL{Host: host}).Hostname()
	ip, err := netip.ParseAddr(name)
	return name == "localhost" || err == nil && ip.IsLoopback()
}

// digest returns the digest of a tag.
func (r *registry) digest(ctx context.Context, tag string) (string, error) {
	resp, err := r.manifest(ctx, http.MethodHead, tag)
	if err != nil {
		return "", err
	}
	resp.Body.Close()
	if d := resp.Header.Get("Docker-Content-Digest"); d != "" {
		if !digestPattern.MatchString(d) {
			return "", fmt.Errorf("%w: the registry says that the digest is %s", lab.ErrDrift, lab.Printable(d))
		}
		return d, nil
	}
	if resp, err = r.manifest(ctx, http.MethodGet, tag); err != nil { // the header is optional
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxManifest+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("%w: %w", lab.ErrUnreachable, err)
	case len(body) > maxManifest:
		return "", fmt.Errorf("%w: its manifest is longer than 4 MiB", lab.ErrInvalid)
	}
	sum := sha256.Sum256(body)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

// manifest asks for the manifest of a tag, once more with a token if the registry wants one.
func (r *registry) manifest(ctx context.Context, method, tag string) (*http.Response, error) {
	for {
		req, err := http.NewRequestWithContext(ctx, method, r.base.JoinPath("manifests", tag).String(), nil)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", lab.ErrInvalid, err)
		}
		req.Header.Set("Accept", manifestTypes)
		if r.token != "" {
			req.Header.Set("Authorization", "Bearer "+r.token)
		}
		resp, err := r.client.Do(req)
		if err != nil {
			return nil, unreachable(err)
		}
		if resp.StatusCode == http.StatusOK {
			return resp, nil
		}
		resp.Body.Close()
		switch {
		case resp.StatusCode == http.StatusUnauthorized && r.token == "":
			if r.token, err = r.login(ctx, resp.Header.Get("WWW-Authenticate")); err != nil {
				return nil, err
			}
			continue
		case resp.StatusCode == http.StatusUnauthorized, resp.StatusCode == http.StatusForbidden:
			err = lab.ErrUnauthorized
		case resp.StatusCode == http.StatusNotFound:
			err = lab.ErrNotFound
		default:
			err = lab.ErrUnreachable
		}
		return nil, fmt.Errorf("%w: the registry answers %s", err, resp.Status)
	}
}

func unreachable(err error) error {
	if errors.Is(err, lab.ErrRefused) || errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("%w: %w", lab.ErrUnreachable, err)
}

// challengePattern is a parameter of a WWW-Authenticate header.
var challengePattern = regexp.MustCompile(`([a-z]+)="([^"]*)"`)

// login returns the token that everybody gets from the server that the challenge names, see
// https://distribution.github.io/distribution/spec/auth/token/.
func (r *registry) login(ctx context.Context, challenge string) (string, error) {
	if !strings.HasPrefix(strings.ToLower(challenge), "bearer ") {
		return "", fmt.Errorf("%w: the registry wants a password", lab.ErrUnauthorized)
	}
	parameters := map[string]string{}
	for _, m := range challengePattern.FindAllStringSubmatch(challenge, -1) {
		parameters[m[1]] = m[2]
	}
	realm, err := url.Parse(parameters["realm"])
	if err != nil || realm.Host == "" || realm.Scheme != "https" && !(realm.Scheme == "http" && onLoopback(realm.Host)) {
		return "", fmt.Errorf("%w: the registry sends to a login that is no HTTPS URL", lab.ErrInvalid)
	}
	query := realm.Query()
	for _, name := range []string{"service", "scope"} {
		if v := parameters[name]; v != "" {
			query.Set(name, v)
		}
	}
	realm.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, realm.String(), nil)
	if err != nil {
		return "", fmt.Errorf("%w: %w", lab.ErrInvalid, err)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return "", unreachable(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%w: %s answers %s", lab.ErrUnauthorized, realm.Host, resp.Status)
	}
	var answer struct {
		Token  string `json:"token"`
		Access string `json:"access_token"` // the name in OAuth 2.0
	}
	err = json.NewDecoder(io.LimitReader(resp.Body, maxManifest)).Decode(&answer)
	if answer.Token == "" {
		answer.Token = answer.Access
	}
	if err != nil || answer.Token == "" {
		return "", fmt.Errorf("%w: %s answers without a token", lab.ErrUnauthorized, realm.Host)
	}
	return answer.Token, nil
}
