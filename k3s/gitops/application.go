package gitops

import (
	"cmp"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/k3s/kube"
)

// application is the Application of an app.
func (r *Root) application(a *App) map[string]any {
	meta := map[string]any{"name": a.Application(), "namespace": namespace}
	if !a.Stateful {
		meta["finalizers"] = []string{"resources-finalizer.argocd.argoproj.io"} // what it has deployed goes with it
	}
	if notes := r.annotations(a); len(notes) > 0 {
		meta["annotations"] = notes
	}
	return map[string]any{"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": meta, "spec": map[string]any{
		"project": "default",
		"source": map[string]any{
			"repoURL":        strings.TrimSuffix(r.Forge, "/") + "/" + a.Repository(cmp.Or(a.Org, r.DefaultOrg)),
			"targetRevision": cmp.Or(a.Revision, "HEAD"),
			"path":           cmp.Or(a.Path, "chart"),
		},
		"destination": map[string]any{"server": "https://kubernetes.default.svc", "namespace": a.Namespace()},
		"syncPolicy": map[string]any{
			"automated":   map[string]any{"prune": !a.KeepOld, "selfHeal": !a.KeepEdit},
			"syncOptions": []string{"CreateNamespace=true"},
		},
	}}
}

// byObject reports whether the Image Updater is told by an object of its own what to update. Before 1.0 it
// reads annotations.
func (u *Updater) byObject() bool {
	major, _, ok := u.release()
	return ok && major >= 1
}

// namesNamespace reports whether that object has to say in which namespace the Applications are: 1.0.0 to 1.0.2 and 1.1.0
// want spec.namespace, and since 1.2.0 the API rejects it (argocd-image-updater, pull requests 1490 and 1590).
func (u *Updater) namesNamespace() bool {
	major, minor, _ := u.release()
	return major == 1 && minor < 2
}

// release returns the first two numbers of the version.
func (u *Updater) release() (major, minor int, ok bool) {
	words := strings.SplitN(strings.TrimPrefix(u.Version, "v"), ".", 3)
	major, err := strconv.Atoi(words[0])
	if len(words) > 1 {
		minor, _ = strconv.Atoi(words[1])
	}
	return major, minor, err == nil
}

const updaterGroup = "argocd-image-updater.argoproj.io"

func (r *Root) updater() kube.HelmChart {
	c := kube.HelmChart{Name: "argocd-image-updater", Chart: "argocd-image-updater", Repo: "https://argoproj.github.io/argo-helm",
		Version: r.Updater.Version, Namespace: namespace}
	if r.Updater.byObject() {
		c.Provides = []string{updaterGroup}
	}
	return c
}

// annotations tell an Image Updater before 1.0 what to update.
func (r *Root) annotations(a *App) map[string]any {
	if len(a.Images) == 0 || r.Updater.byObject() {
		return nil
	}
	notes := map[string]any{updaterGroup + "/write-back-method": "argocd"}
	var list []string
	for n := range a.Images {
		image := &a.Images[n]
		list = append(list, image.alias()+"="+image.Name)
		notes[updaterGroup+"/"+image.alias()+".update-strategy"] = "digest"
	}
	notes[updaterGroup+"/image-list"] = strings.Join(list, ",")
	return notes
}

// imageUpdater tells an Image Updater since 1.0 what to update; nil if there is nothing.
func (r *Root) imageUpdater() map[string]any {
	if !r.Updater.Enabled || !r.Updater.byObject() {
		return nil
	}
	var refs []any
	for n := range r.Apps {
		var images []any
		for i := range r.Apps[n].Images {
			image := &r.Apps[n].Images[i]
			images = append(images, map[string]any{"alias": image.alias(), "imageName": image.Name,
				"commonUpdateSettings": map[string]any{"updateStrategy": "digest"}})
		}
		if len(images) > 0 {
			refs = append(refs, map[string]any{"namePattern": r.Apps[n].Application(), "images": images})
		}
	}
	if len(refs) == 0 {
		return nil
	}
	spec := map[string]any{"applicationRefs": refs, "writeBackConfig": map[string]any{"method": "argocd"}}
	if r.Updater.namesNamespace() {
		spec["namespace"] = namespace
	}
	return map[string]any{"apiVersion": updaterGroup + "/v1alpha1", "kind": "ImageUpdater",
		"metadata": map[string]any{"name": "apps", "namespace": namespace}, "spec": spec}
}
