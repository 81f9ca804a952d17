package gitops

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/k3s/kube"
)

// Root is Argo CD with what it deploys.
type Root struct {
	Enabled bool   `yaml:"enabled"` // without it there is nothing
	Version string `yaml:"version"` // of the chart argo-cd; required
	Host    string `yaml:"host"`    // where its web interface is, behind Traefik: "argocd.arcodange.lab"; required

	// Forge is the URL of the Git server; required. ForgeCA is the certificate of its authority in PEM; empty means
	// that one of the public authorities signs it.
	Forge   string `yaml:"forge"`
	ForgeCA string `yaml:"forgeCA"`

	// User and Token log in to the forge to read the repositories of all organisations; empty means that they are
	// public.
	User  string     `yaml:"user"`
	Token lab.Secret `yaml:"-"`

	DefaultOrg string  `yaml:"defaultOrg"` // of apps that name none; required
	Updater    Updater `yaml:"imageUpdater"`
	Apps       []App   `yaml:"apps"` // required
}

// Updater is the Image Updater, which lets apps run the newest image of a tag.
type Updater struct {
	Enabled bool `yaml:"enabled"`

	// Version of the chart argocd-image-updater; required. Since 1.0 it is told by an object of its own what
	// to update; before, by annotations of the Applications. Its minor releases are taken to follow those of the
	// program: the object says its namespace before 1.2, and not since.
	Version string `yaml:"version"`
}

// App is an app that Argo CD deploys from its repository.
type App struct {
	lab.Instance `yaml:",inline"`

	Org      string `yaml:"org"`      // empty means the root's DefaultOrg
	Path     string `yaml:"path"`     // of the chart in the repository; empty means "chart"
	Revision string `yaml:"revision"` // empty means HEAD

	// Images are updated to the newest digest of their tag by the Image Updater, which must be enabled.
	Images []Image `yaml:"images"`

	KeepOld  bool `yaml:"keepOld"`  // what is no longer in the repository stays in the cluster; usually it is removed
	KeepEdit bool `yaml:"keepEdit"` // what is edited in the cluster stays; usually it is undone

	// Stateful keeps everything that was deployed when the app is taken out of the list: its volumes would be
	// removed too.
	Stateful bool `yaml:"stateful"`
}

// Image is an image of an app.
type Image struct {
	Alias string `yaml:"alias"` // unique in the app, as the Image Updater calls it; empty means "app"
	Name  string `yaml:"name"`  // with the tag that is followed: "gitea.arcodange.lab/arcodange-org/webapp:latest"; required
}

const (
	namespace = "argocd"
	owner     = "gitops"
)

// Validate reports everything that is wrong. A root that is not enabled is right.
func (r *Root) Validate() error { return r.validate().Err() }

func (r *Root) validate() (ps lab.Problems) {
	if !r.Enabled {
		return nil
	}
	for field, value := range map[string]string{"version": r.Version, "host": r.Host, "defaultOrg": r.DefaultOrg} {
		if value == "" {
			ps.Add(field, "empty")
		}
	}
	if u, err := url.Parse(r.Forge); err != nil || u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.User != nil {
		ps = append(ps, lab.Problem{Path: "forge", Text: r.Forge, Message: "is not the URL of a server", Hint: "write https://HOST"})
	}
	if (r.User == "") != r.Token.IsZero() {
		ps.Add("user", "it needs a token, and a token needs a user")
	}
	if r.Updater.Enabled && r.Updater.Version == "" {
		ps.Add("imageUpdater.version", "empty")
	}
	if len(r.Apps) == 0 {
		ps = append(ps, lab.Problem{Path: "apps", Message: "is empty: all apps would be removed",
			Hint: "disable Argo CD if it is to deploy nothing"})
	}
	var instances []lab.Instance
	for n, a := range r.Apps {
		instances = append(instances, a.Instance)
		ps = append(ps, a.validate(r.Updater.Enabled).Under(fmt.Sprintf("apps[%d]", n))...)
	}
	if err, ok := lab.ValidateInstances(instances).(lab.Problems); ok {
		ps = append(ps, err.Under("apps")...)
	}
	return ps
}

func (a *App) validate(updater bool) (ps lab.Problems) {
	seen := map[string]bool{}
	for n, image := range a.Images {
		at := fmt.Sprintf("images[%d]", n)
		repository, tag, ok := cutTag(image.Name)
		switch {
		case !ok || repository == "" || tag == "":
			ps = append(ps, lab.Problem{Path: at + ".name", Text: image.Name, Message: "has no tag: a digest is that of a tag",
				Hint: "write IMAGE:TAG"})
		case strings.Contains(image.Name, "@"):
			ps = append(ps, lab.Problem{Path: at + ".name", Text: image.Name, Message: "has a digest already: nothing would be updated"})
		}
		if seen[image.alias()] {
			ps.Add(at+".alias", "%q is there twice", image.alias())
		}
		seen[image.alias()] = true
	}
	if len(a.Images) > 0 && !updater {
		ps.Add("images", "nobody updates them: the image updater is not enabled")
	}
	return ps
}

// cutTag splits an image at its tag. The port of a registry is none.
func cutTag(image string) (repository, tag string, ok bool) {
	at := strings.LastIndexByte(image, ':')
	if at < 0 || strings.Contains(image[at:], "/") {
		return image, "", false
	}
	return image[:at], image[at+1:], true
}

func (i *Image) alias() string { return cmp.Or(i.Alias, "app") }

// Objects returns Argo CD and the Applications; nothing unless it is enabled.
func (r *Root) Objects() ([]kube.Object, error) {
	if err := r.Validate(); err != nil || !r.Enabled {
		return nil, err
	}
	argo, err := r.argo().Objects()
	if err != nil {
		return nil, err
	}
	all := argo
	add := func(content map[string]any) error {
		o, err := kube.NewObject(content)
		if err == nil {
			all = append(all, o.After(argo[len(argo)-1]))
		}
		return err
	}
	if r.User != "" {
		if err := add(r.credentials()); err != nil {
			return nil, err
		}
	}
	if r.Updater.Enabled {
		chart, err := r.updater().Objects()
		if err != nil {
			return nil, err
		}
		all = append(all, chart...)
	}
	for n := range r.Apps {
		if err := add(r.application(&r.Apps[n])); err != nil {
			return nil, err
		}
	}
	if images := r.imageUpdater(); images != nil {
		if err := add(images); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Spec returns the objects as they are applied: with what is no longer wanted removed, one app at a time.
func (r *Root) Spec() (kube.Spec, error) {
	objects, err := r.Objects()
	return kube.Spec{Owner: owner, Objects: objects, Prune: len(objects) > 0, MaxDeletes: 1}, err
}

// argo is the chart of Argo CD.
func (r *Root) argo() kube.HelmChart {
	forge, _ := url.Parse(r.Forge)
	configs := map[string]any{
		"params": map[string]any{"server.insecure": true}, // Traefik ends TLS
		"cm":     map[string]any{"url": "https://" + r.Host, "admin.enabled": true},
	}
	if r.ForgeCA != "" {
		configs["tls"] = map[string]any{"certificates": map[string]any{forge.Host: r.ForgeCA}}
	}
	return kube.HelmChart{Name: "argocd", Chart: "argo-cd", Repo: "https://argoproj.github.io/argo-helm", Version: r.Version,
		Namespace: namespace, Provides: []string{"argoproj.io"}, Values: map[string]any{
			"global":  map[string]any{"domain": r.Host},
			"configs": configs,
			"server": map[string]any{"ingress": map[string]any{"enabled": true, "ingressClassName": "traefik", "hostname": r.Host,
				"tls": true}},
		}}
}

// credentials lets Argo CD read all repositories of the forge.
func (r *Root) credentials() map[string]any {
	return map[string]any{"apiVersion": "v1", "kind": "Secret",
		"metadata": map[string]any{"name": "forge", "namespace": namespace,
			"labels": map[string]any{"argocd.argoproj.io/secret-type": "repo-creds"}},
		"stringData": map[string]any{"type": "git", "url": strings.TrimSuffix(r.Forge, "/"), "username": r.User, "password": r.Token}}
}
