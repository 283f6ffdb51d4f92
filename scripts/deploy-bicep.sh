#!/usr/bin/env bash
# Deploys the GenAI gateway of infra/ with the Azure CLI: checks first, shows the what-if, asks, deploys, says what is next.
# Values never become shell, JSON or template text here: scripts/deployment_json.py encodes and reads all JSON.
# Exit codes: 0 done, 1 failed or declined, 2 wrong usage or a missing prerequisite (nothing was deployed or written).
set -uo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P) || exit 1
json_tool=$root/scripts/deployment_json.py

usage() {
    cat <<'TEXT'
Usage: deploy-bicep.sh --username U --location REGION --ptuEndpoint1 URL
                       --paygEndpoint1 URL --paygEndpoint2 URL --policyFragment NAME [options]

  -u, --username U             whose gateway this is: one per name and subscription
  -l, --location REGION        Azure region, for example swedencentral
  -p, --ptuEndpoint1 URL       Azure OpenAI endpoint with provisioned throughput (https, no path)
  -1, --paygEndpoint1 URL      first pay-as-you-go endpoint
  -2, --paygEndpoint2 URL      second pay-as-you-go endpoint
  -f, --policyFragment NAME    the fragment the inference API is built on

  -s, --sku SKU                tier of API Management (default Developer)
      --sku-capacity N         scale units (default 1)
  -a, --account-id ID          resource id of an Azure OpenAI account to give the gateway access to; may be repeated
      --drained-backends LIST  names separated by commas, or none (default: what the gateway has now)
      --capability-apis        also deploy one API for each capability
      --publisher-name TEXT    shown as the publisher of the APIs
      --publisher-email MAIL   where API Management sends its notifications
      --resource-group NAME    resource group to create or use (default: derived from the username)
      --no-operator-role       do not create the custom role for operators
      --parameters FILE        take the answers of this parameters file; options behind it have the last word
  -o, --output FILE            where the outputs go (default output.json here)
  -w, --what-if                show what would change, then stop
  -y, --yes                    do not ask
  -h, --help                   this text

Exit codes: 0 done, 1 failed or declined, 2 wrong usage or a missing prerequisite.
TEXT
}

# -I and -S: nothing of the caller's Python environment takes part. Values are UTF-8 whatever the locale says.
deployment_json() { python3 -IS -X utf8 "$json_tool" "$@"; }

say() { printf '%s\n' "$*" >&2; }

refuse() {
    say "deploy-bicep: $*"
    exit 2
}

fail() {
    say "deploy-bicep: $*"
    exit 1
}

# A value as a message may show it: one line, and no user part of a URL, which may be a password.
shown() {
    local text=${1//[[:cntrl:]]/?}
    if [[ $text == *://*@* ]]; then text="${text%%://*}://***@${text##*@}"; fi
    printf '%s' "$text"
}

# --- arguments -------------------------------------------------------------------------------------------------------

username='' location='' ptu1='' payg1='' payg2='' fragment=''
sku='' sku_capacity='' drained='' publisher_name='' publisher_email='' resource_group=''
output=output.json capability_apis=false operator_role=true what_if_only=false yes=false
account_ids=()

while (($# > 0)); do
    option=$1
    shift
    # --name=value is the same as --name value
    case $option in
        --*=*) set -- "${option#*=}" "$@"; option=${option%%=*}; joined=true ;;
        *) joined=false ;;
    esac
    case $option in
        -h | --help) usage; exit 0 ;;
        -w | --what-if | -y | --yes | --capability-apis | --no-operator-role)
            if $joined; then refuse "$option takes no value"; fi
            case $option in
                -w | --what-if) what_if_only=true ;;
                -y | --yes) yes=true ;;
                --capability-apis) capability_apis=true ;;
                --no-operator-role) operator_role=false ;;
            esac
            continue
            ;;
        -u | --username | -l | --location | -p | --ptuEndpoint1 | -1 | --paygEndpoint1 | -2 | --paygEndpoint2) ;;
        -f | --policyFragment | -s | --sku | --sku-capacity | -a | --account-id | --drained-backends) ;;
        --publisher-name | --publisher-email | --resource-group | --parameters | -o | --output) ;;
        -*) refuse "unknown option $(shown "$option") (--help lists them)" ;;
        *) refuse "unexpected argument $(shown "$option") (--help says what is expected)" ;;
    esac
    (($# > 0)) || refuse "$option needs a value"
    value=$1
    shift
    [[ -n $value ]] || refuse "$option needs a value that is not empty"
    if ! $joined && [[ $value == --[a-zA-Z]* ]]; then
        refuse "$option needs a value, and $(shown "$value") is an option (write $option=VALUE if you mean it)"
    fi
    case $option in
        -u | --username) username=$value ;;
        -l | --location) location=$value ;;
        -p | --ptuEndpoint1) ptu1=$value ;;
        -1 | --paygEndpoint1) payg1=$value ;;
        -2 | --paygEndpoint2) payg2=$value ;;
        -f | --policyFragment) fragment=$value ;;
        -s | --sku) sku=$value ;;
        --sku-capacity) sku_capacity=$value ;;
        -a | --account-id) account_ids+=("$value") ;;
        --drained-backends) drained=$value ;;
        --publisher-name) publisher_name=$value ;;
        --publisher-email) publisher_email=$value ;;
        --resource-group) resource_group=$value ;;
        --parameters)
            command -v python3 >/dev/null 2>&1 || refuse "python3 is needed to read the parameters; install it first"
            [[ -r $value ]] || refuse "--parameters $(shown "$value") cannot be read"
            saved=()
            while IFS= read -r -d '' part; do saved+=("$part"); done < <(deployment_json options "$value" 2>/dev/null)
            ((${#saved[@]} > 0)) || refuse "--parameters $(shown "$value") is no parameters file of this template"
            set -- "${saved[@]}" "$@"
            ;;
        -o | --output) output=$value ;;
    esac
done

[[ -n $username ]] || refuse "--username is missing"
[[ -n $location ]] || refuse "--location is missing"
[[ -n $ptu1 ]] || refuse "--ptuEndpoint1 is missing"
[[ -n $payg1 ]] || refuse "--paygEndpoint1 is missing"
[[ -n $payg2 ]] || refuse "--paygEndpoint2 is missing"
[[ -n $fragment ]] || refuse "--policyFragment is missing"

for account_id in ${account_ids[@]+"${account_ids[@]}"}; do
    [[ $account_id =~ ^/subscriptions/[^/]+/resource[gG]roups/[^/]+/providers/Microsoft\.CognitiveServices/accounts/[^/]+$ ]] ||
        refuse "--account-id must be the resource id of an Azure OpenAI account, not $(shown "$account_id")"
done
[[ -z $sku_capacity || $sku_capacity =~ ^([1-9]|[12][0-9]|3[01])$ ]] ||
    refuse "--sku-capacity must be a whole number from 1 to 31, not $(shown "$sku_capacity")"

# --- prerequisites ---------------------------------------------------------------------------------------------------

command -v python3 >/dev/null 2>&1 || refuse "python3 is needed to encode the parameters; install it first"
[[ -r $root/infra/main.json && -r $json_tool ]] || refuse "infra/main.json or scripts/deployment_json.py is not beside this script"

given=(--username "$username" --ptuEndpoint1 "$ptu1" --paygEndpoint1 "$payg1" --paygEndpoint2 "$payg2")
[[ -z $drained ]] || given+=(--drained-backends "$drained")
[[ -z $publisher_name ]] || given+=(--publisher-name "$publisher_name")
[[ -z $publisher_email ]] || given+=(--publisher-email "$publisher_email")
[[ -z $resource_group ]] || given+=(--resource-group "$resource_group")
reason=$(deployment_json check "${given[@]}") || refuse "$reason"

check_allowed() { # option, parameter, value
    deployment_json allowed "$root/infra/main.json" "$2" "$3" >/dev/null && return
    refuse "$1 has no $(shown "$3"); there are: $(deployment_json allowed "$root/infra/main.json" "$2" | paste -sd ' ' -)"
}
check_allowed --policyFragment policyFragment "$fragment"
[[ -z $sku ]] || check_allowed --sku sku "$sku"

output_folder=$(dirname -- "$output")
[[ -d $output_folder && -w $output_folder && ! -d $output ]] || refuse "--output $(shown "$output") cannot be written"

command -v az >/dev/null 2>&1 || refuse "the Azure CLI (az) is not on PATH; see https://aka.ms/azure-cli"

work=$(mktemp -d) || exit 1
trap 'rm -rf -- "$work"' EXIT
trap 'exit 130' INT TERM
usual_umask=$(umask)
umask 077

last_error() { grep -v '^[[:space:]]*$' -- "$work/stderr" | tail -n 1; }

az account show --output json >"$work/account" 2>"$work/stderr" ||
    refuse "not logged in to Azure: run az login ($(last_error))"
account=$(deployment_json account <"$work/account") || refuse "$account"
say "Subscription: $account"

az account list-locations --output json >"$work/locations" 2>"$work/stderr" ||
    refuse "the regions of the subscription cannot be read: $(last_error)"
region=$(deployment_json location "$location" <"$work/locations") || refuse "$(shown "$region")"
location=$region

# --- what is there already -------------------------------------------------------------------------------------------

api_version=2024-05-01
if [[ -z $drained ]]; then
    # A redeployment must not put drained backends back into traffic.
    services="/subscriptions/$(deployment_json account id <"$work/account")/providers/Microsoft.ApiManagement/service"
    if ! az rest --method get --url "$services?api-version=$api_version" --output json >"$work/services" 2>"$work/stderr"; then
        say "deploy-bicep: cannot see which backends are drained: $(last_error)"
        say "  Say it yourself with --drained-backends (none, if none is)."
        exit 1
    fi
    service=$(deployment_json service "$username" <"$work/services") || fail "$service"
    drained=none
    if [[ -n $service ]]; then
        if az rest --method get --url "$service/namedValues/drained-backends?api-version=$api_version" --output json \
            >"$work/drained" 2>"$work/stderr"; then
            drained=$(deployment_json named-value <"$work/drained") || fail "$drained"
            say "Drained backends are kept: $drained"
        elif ! grep -qiE 'not ?found|404' -- "$work/stderr"; then
            say "deploy-bicep: cannot see which backends are drained: $(last_error)"
            say "  Say it yourself with --drained-backends (none, if none is)."
            exit 1
        fi
    fi
fi

if az bicep version >/dev/null 2>&1 && az bicep build --file "$root/infra/main.bicep" --stdout >/dev/null 2>&1; then
    template=$root/infra/main.bicep
    say "Template: infra/main.bicep"
else
    template=$root/infra/main.json
    say "Template: infra/main.json (az has no Bicep compiler here)"
fi

# --- parameters ------------------------------------------------------------------------------------------------------

parameters=(
    username "$username" location "$location" ptuEndpoint1 "$ptu1" paygEndpoint1 "$payg1" paygEndpoint2 "$payg2"
    policyFragment "$fragment" drainedBackends "$drained" capabilityApis "$capability_apis" deployOperatorRole "$operator_role"
)
[[ -z $sku ]] || parameters+=(sku "$sku")
[[ -z $sku_capacity ]] || parameters+=(skuCapacity "$sku_capacity")
[[ -z $publisher_name ]] || parameters+=(publisherName "$publisher_name")
[[ -z $publisher_email ]] || parameters+=(publisherEmail "$publisher_email")
[[ -z $resource_group ]] || parameters+=(resourceGroupName "$resource_group")
for account_id in ${account_ids[@]+"${account_ids[@]}"}; do
    parameters+=(accountResourceIds "$account_id")
done
deployment_json parameters "$root/infra/main.json" "${parameters[@]}" >"$work/parameters.json" ||
    refuse "$(cat -- "$work/parameters.json")"

checksum=$(printf '%s' "$username" | cksum)
name="genaigw-${checksum%% *}-$location"

started=false
still_running="the deployment may be running: az deployment sub show -n $name"

explain_failure() { # what failed; the story is in $work/stderr
    say "deploy-bicep: $1 failed"
    cp -- "$work/stderr" "$work/story"
    if grep -q DeploymentFailed -- "$work/story"; then
        # Azure tells the cause in the deployment, and where it is nested deeper, in the operations of its modules.
        az deployment sub show --name "$name" --output json >"$work/shown" 2>/dev/null && cat -- "$work/shown" >>"$work/story"
        while read -r group nested; do
            az deployment operation group list --resource-group "$group" --name "$nested" --output json 2>/dev/null \
                >>"$work/story" || say "  (the operations of $nested cannot be read)"
        done < <(az deployment operation sub list --name "$name" --output json 2>/dev/null | deployment_json failed-modules)
    fi
    deployment_json cause <"$work/story" >&2
    # Azure names a code when it ends a deployment; where az failed without one (a lost connection), it may go on.
    if $started && ! grep -qE '"code"|\([A-Za-z]+\) ' -- "$work/story"; then say "  $still_running"; fi
    say "  The whole story: az deployment operation sub list --name $name"
    exit 1
}

# --- what-if, the question, the deployment ---------------------------------------------------------------------------

common=(--name "$name" --location "$location" --template-file "$template" --parameters "@$work/parameters.json")
az deployment sub what-if "${common[@]}" 2>"$work/stderr" || explain_failure "the what-if"
if $what_if_only; then
    say "Nothing was deployed."
    exit 0
fi
if ! $yes; then
    printf 'Deploy this to %s? [y/N] ' "$account" >&2
    answer=''
    read -r answer || true
    case $answer in
        y | Y | yes | Yes | YES) ;;
        *) say "Nothing was deployed."; exit 1 ;;
    esac
fi

say "Deploying $name. A new gateway of the classic tiers takes 30 to 45 minutes."
started=true
trap 'say "deploy-bicep: stopped; $still_running"; exit 130' INT TERM
az deployment sub create "${common[@]}" --output json >"$work/deployment" 2>"$work/stderr" || explain_failure "the deployment"
deployment_json outputs <"$work/deployment" >"$work/outputs" ||
    fail "$(cat -- "$work/outputs"); $still_running"
trap 'exit 130' INT TERM
umask "$usual_umask"
cat -- "$work/outputs" >"$output" || fail "$output cannot be written; the deployment is done"

say "Deployed. Outputs are in $output."
deployment_json next-steps "$account" <"$work/outputs" >&2
