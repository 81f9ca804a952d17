# Prints the versions of the PostgreSQL clusters in a directory, and whether it holds anything.
: "${data:?}"
cd -- "$data" 2>/dev/null || exit 0
for f in PG_VERSION */docker/PG_VERSION data/PG_VERSION; do
  [ -f "$f" ] || continue
  v=
  IFS= read -r v <"$f"
  printf 'version %s %s\n' "$v" "$f"
done
for f in * .[!.]*; do
  case $f in
  '*' | '.[!.]*' | lost+found) ;;
  *)
    echo 'holds something'
    break
    ;;
  esac
done
