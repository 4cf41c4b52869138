# dpchannel: the front door. `make help` lists every task, CONTRIBUTING.md says how to add one.
#
# One rule = one script = one file. The state point is the path:
#   runs/<system>/<profile>/diffusion/P4GPa/T500K/result.json
# Long runs depend on the content of their inputs (runs/.../slices/, rewritten only when it changes),
# never on time stamps; what is finished and no longer fits is reported, redone only with FORCE=1.

SYSTEM    ?= pb10po46o
PROFILE   ?= quick
P         ?= 4GPa
T         ?= 500K
ENGINE    ?= mlip
POTENTIAL ?= inputs/potentials/$(SYSTEM)
RUNS      ?= runs
RUNNER    ?= local
FORCE     ?=
ARGS      ?=
export PYTHON
quoted = '$(subst ','\'',$(1))'

$(foreach name,SYSTEM PROFILE POTENTIAL DATA RUNS QUEUE,$(if $(word 2,$($(name))),$(error $(name)="$($(name))": no space can stand in it)))
$(if $(filter-out 0 no false 1 yes true,$(FORCE)),$(error FORCE=$(FORCE): write FORCE=1, or leave it out))
override FORCE := $(filter 1 yes true,$(FORCE))
$(if $(filter-out 0 no false 1 yes true,$(YES)),$(error YES=$(YES): write YES=1, or leave it out))
override YES := $(filter 1 yes true,$(YES))
$(foreach name,SYSTEM PROFILE POTENTIAL DATA RUNS QUEUE ENGINE CASE,$(if $(filter command,$(origin $(name))),$(if $(strip $($(name))),,$(error $(name)=: empty. Leave it out, or say which))))
# A misspelt variable would do nothing, unnoticed. Those of the environment are for scripts.
VARIABLES := SYSTEM PROFILE P T SEED ENGINE POTENTIAL DATA RUNS RUNNER SITE YES FORCE CORES ARGS PYTHON \
  NETWORK THREADS TEACHER ITERS APART BUDGET QUEUE RETRY LENGTHS MODE COMMITTEE CASE ON DOPANT REFERENCE EXPORTED \
  FRAMES FEED PAPER BUSY ID REASON FROM
OF_ENVIRONMENT := NATIVE CXX VASP_PP_PATH CP2K_DATA_DIR TMPDIR SHELL OMP_NUM_THREADS CUDA_VISIBLE_DEVICES
GIVEN := $(foreach name,$(filter-out GNUMAKEFLAGS .SHELLSTATUS,$(.VARIABLES)),$(if $(filter command,$(origin $(name))),$(name)))
$(foreach name,$(filter-out $(VARIABLES) $(OF_ENVIRONMENT),$(GIVEN)),$(error $(name)=$($(name)): no task reads $(name). There is: $(VARIABLES)))

.DEFAULT_GOAL := help
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

# ---- Environment: .venv, as the lock file says. The stamp's name holds the lock's check sum.
PY   := .venv/bin/python
VENV := .venv/.stamp-$(firstword $(shell cksum requirements.lock))
MLIP := .venv/.mlip-$(firstword $(shell cksum requirements-mlip.lock))
# for the two quick scripts that run before there is an environment
ANY_PYTHON = $(if $(wildcard $(PY)),$(PY),$(shell bin/find_python.sh)) -S
STEP := $(PY) bin/step.py
SLICE = $(ANY_PYTHON) bin/slices.py --system=$(call quoted,$(SYSTEM)) --profile=$(call quoted,$(PROFILE)) --runs=$(call quoted,$(RUNS))

$(VENV): requirements.lock
	@bin/setup.sh requirements.lock $@

# Never asked for by another rule: it is large.
$(MLIP): requirements-mlip.lock | $(VENV)
	@bin/setup.sh requirements-mlip.lock $@

# ---- RUNNER=slurm: one job for each missing file of a goal, which makes that file there; here no rule
# for a file runs. A goal that can do so stands in this list, has JOBS_<goal> = template:file chains
# (lib/dpchannel/runner/chains.py), $(call here,...) around its files, $(submit) as first line of its
# recipe, and $(call there,...) around the files that the rest of the recipe reads.
CLUSTER_GOALS := diffusion melting train label loop
SITE ?=
YES  ?=
ifneq ($(RUNNER),local)
  $(if $(filter-out slurm,$(RUNNER)),$(error RUNNER=$(RUNNER): write RUNNER=slurm, or leave it out))
  $(if $(filter-out $(CLUSTER_GOALS) status help,$(MAKECMDGOALS)),$(error RUNNER=slurm: knows only $(CLUSTER_GOALS); leave it out for $(filter-out $(CLUSTER_GOALS) status help,$(MAKECMDGOALS))))
endif
here      = $(if $(filter slurm,$(RUNNER)),,$(1))
there     = $(if $(filter slurm,$(RUNNER)),$(wildcard $(1)),$(1))
submit    = $(if $(filter slurm,$(RUNNER)),$(SUBMIT) $(JOBS_$@))
JOB_WORDS = $(foreach name,$(filter-out $(if $(filter melting,$@),,P T) RUNNER SITE YES FORCE CORES ARGS BUDGET GNUMAKEFLAGS .SHELLSTATUS,$(.VARIABLES)),$(if $(filter command override,$(origin $(name))),--word $(call quoted,$(name)=$($(name)))))
SUBMIT    = $(PY) bin/submit.py $@ $(if $(SITE),--site $(call quoted,$(SITE))) --runs $(RUNS) $(strip $(JOB_WORDS)) $(if $(FORCE),--force) $(if $(YES),--yes)

# ---- State points and slices: read before any rule runs, and only for the goals that need them.
STATE_GOALS := diffusion arrhenius pressure-scan mechanism cross-check column-length
OF_CHANNEL := $(if $(filter mechanism cross-check column-length,$(MAKECMDGOALS)),--channel)
# A scan without T or P takes several.
$(if $(filter arrhenius,$(MAKECMDGOALS)),$(if $(filter file,$(origin T)),$(eval override T := 500K 700K 900K)))
$(if $(filter pressure-scan,$(MAKECMDGOALS)),$(if $(filter file,$(origin P)),$(eval override P := 0GPa 2.45GPa 4GPa)))
ifneq ($(filter $(STATE_GOALS) $(RUNS)/%,$(MAKECMDGOALS)),)
  MODEL  := $(if $(filter %.pb %.pth %.lammps,$(POTENTIAL)),$(POTENTIAL),$(POTENTIAL:/=)/model-compressed.pb)
  STATES := $(shell $(ANY_PYTHON) bin/normalise.py --pressure=$(call quoted,$(P)) --temperature=$(call quoted,$(T)))
  ifeq ($(STATES),)
    $(error P and T as above)
  endif
  $(if $(shell printf %s $(call quoted,$(SEED)) | tr -d '0-9 '),$(error SEED="$(SEED)": whole numbers, such as SEED="1 2 3"))
  parts = $(sort $(foreach state,$(STATES),$(word $(1),$(subst /, ,$(state)))))
  $(if $(filter arrhenius,$(MAKECMDGOALS)),$(if $(word 2,$(call parts,2)),,$(error T="$(T)": an Arrhenius plot needs two temperatures or more, such as T="500K 700K 900K")))
  $(if $(filter pressure-scan,$(MAKECMDGOALS)),$(if $(word 2,$(call parts,1)),,$(error P="$(P)": a scan needs two pressures or more, such as P="0GPa 4GPa")))
  ifeq ($(shell $(SLICE) $(OF_CHANNEL) --potential=$(call quoted,$(MODEL)) && echo done),)
    $(error inputs as above)
  endif
endif

SLICES    := $(RUNS)/$(SYSTEM)/$(PROFILE)/slices
DIFFUSION := $(RUNS)/$(SYSTEM)/$(PROFILE)/diffusion
# SEED="1 2 3" runs each state so often, in folders of their own, and pools them.
SEED      ?=
SEEDS     := $(sort $(SEED))
STATE_DIRS := $(foreach state,$(addprefix $(DIFFUSION)/,$(STATES)),$(if $(SEEDS),$(addprefix $(state)-seed,$(SEEDS)),$(state)))
POOL      := $(if $(word 2,$(SEEDS)),-seeds$(subst $(subst ,, ),_,$(SEEDS)))
OF_SEEDS  := $(or $(POOL),$(addprefix -seed,$(SEEDS)))
POOLED    := $(if $(POOL),$(foreach state,$(STATES),$(DIFFUSION)/$(state)$(POOL)/result.json))
STATE_RESULTS := $(addsuffix /result.json,$(STATE_DIRS))
POINTS    := $(or $(POOLED),$(STATE_RESULTS))
pressure    = $(patsubst P%,%,$(firstword $(subst /, ,$*)))
temperature = $(patsubst T%,%,$(firstword $(subst -seed, ,$(lastword $(subst /, ,$*)))))
seed        = $(word 2,$(subst -seed, ,$(lastword $(subst /, ,$*))))

# Potentials: the data set that is shipped, or DATA=folder of bin/dataset.py.
DATA    ?= inputs/labels/$(SYSTEM)/$(ENGINE)
TRAINED := $(RUNS)/$(SYSTEM)/$(PROFILE)/potential
# A data set of another project, or the labels of `make label`, are adopted once: gated, and whole
# folders of them held out. Labelled extxyz serves for parity as it is.
ADOPT = $(shell $(PY) bin/adopt.py $(DATA) --out $(RUNS)/$(SYSTEM)/data/$(subst /,_,$(DATA:/=)) --engine $(if $(findstring command,$(origin ENGINE)),$(ENGINE),vasp) --system inputs/$(SYSTEM).toml)
ifeq ($(wildcard $(DATA)/origin.json),)
  ifneq ($(and $(filter command,$(origin DATA)),$(filter train $(TRAINED)/% $(if $(filter %.extxyz,$(DATA)),,parity benchmark),$(MAKECMDGOALS))),)
    override DATA := $(ADOPT)
    $(if $(DATA),,$(error DATA as above))
  else ifneq ($(and $(filter train $(TRAINED)/%,$(MAKECMDGOALS)),$(wildcard $(DATA)/labelled.extxyz)),)
    DATA := $(ADOPT)
    $(if $(DATA),,$(error DATA as above))
  endif
endif
NETWORK ?= $(if $(filter paper toy,$(PROFILE)),$(PROFILE),shipped)
THREADS ?= $(or $(CORES),$(shell nproc))
LABELS  := $(RUNS)/$(SYSTEM)/labels/$(ENGINE)
STRUCTURE := $(RUNS)/$(SYSTEM)/structure

##@ Physics
structure: $(STRUCTURE)/result.json $(STRUCTURE)/views.png ## The crystal: lattice and distances, and its two views as in Fig. 1
	@$(PY) bin/show.py $<
	@echo 'up to date: $(STRUCTURE)/result.json, views.png, views.pdf'

inputs/%.toml:
	@echo 'error: $@: no such file. There is: $(patsubst inputs/%.toml,%,$(shell grep -l '^\[system\]' inputs/*.toml)). Choose with SYSTEM=.' >&2; exit 2

$(STRUCTURE)/crystal.extxyz: inputs/$(SYSTEM).toml | $(VENV)
	@$(STEP) $@ bin/structure.py $(SYSTEM) --out $@

$(STRUCTURE)/result.json: $(STRUCTURE)/crystal.extxyz | $(VENV)
	@$(STEP) $@ bin/measure.py $< --out $@

$(STRUCTURE)/views.png: $(STRUCTURE)/crystal.extxyz | $(VENV)
	@$(STEP) $@ bin/plot_structure.py $< --out $@ --out $(@D)/views.pdf

JOBS_diffusion = $(foreach dir,$(STATE_DIRS),lammps_gpu:$(dir)/traj.h5,task:$(dir)/.shown) $(if $(POOL),+task$(subst $(subst ,, ),,$(foreach file,$(POOLED),:$(dir $(file)).shown)))
diffusion: $(call here,$(foreach dir,$(STATE_DIRS),$(addprefix $(dir)/,result.json msd.npz msd.png msd.pdf .shown)) $(foreach file,$(POOLED),$(addprefix $(dir $(file)),result.json msd.npz msd.png msd.pdf .shown))) | $(SLICES)/.checked $(VENV) ## MD and the channel ion's diffusion: P="0GPa 4GPa" T="500K 700K" SEED="1 2 3" PROFILE=quick|standard|paper|toy
	@$(submit)
	@$(if $(call there,$(STATE_RESULTS)),$(SLICE) --potential=$(MODEL) --report $(call there,$(STATE_RESULTS) $(POOLED)))

# MD takes long: made when missing, or afresh with FORCE=1, which moves the earlier run aside.
$(DIFFUSION)/%/traj.h5: $(if $(FORCE),always) | $(SLICES)/.checked $(VENV)
	@$(STEP) $(if $(FORCE),--afresh) --record $(SLICES)/md.json $@ bin/md.py --system inputs/$(SYSTEM).toml --profile inputs/profiles/$(PROFILE).toml --pressure $(pressure) --temperature $(temperature) --potential $(MODEL) --out $@ $(addprefix --seed ,$(seed)) $(if $(FORCE),--force)

# before the rules of a single run: the shorter stem wins
ifneq ($(POOL),)
$(DIFFUSION)/%$(POOL)/result.json $(DIFFUSION)/%$(POOL)/msd.npz: $(foreach n,$(SEEDS),$(DIFFUSION)/%-seed$(n)/traj.h5) $(SLICES)/diffusion.json $(SLICES)/physics.sha | $(VENV)
	@$(STEP) $(@D)/result.json bin/pool.py $(filter %.h5,$^) --system inputs/$(SYSTEM).toml --settings inputs/diffusion.toml --out $(@D)/result.json
endif

$(DIFFUSION)/%/result.json $(DIFFUSION)/%/msd.npz: $(DIFFUSION)/%/traj.h5 $(SLICES)/diffusion.json $(SLICES)/physics.sha | $(VENV)
	@$(STEP) $(@D)/result.json bin/diffusion.py --traj $< --system inputs/$(SYSTEM).toml --settings inputs/diffusion.toml --out $(@D)/result.json

$(DIFFUSION)/%/msd.png $(DIFFUSION)/%/msd.pdf: $(DIFFUSION)/%/result.json $(DIFFUSION)/%/msd.npz | $(VENV)
	@$(STEP) $(@D)/msd.png bin/plot_msd.py $< --out $(@D)/msd.png --out $(@D)/msd.pdf

$(DIFFUSION)/%/.shown: $(DIFFUSION)/%/result.json $(DIFFUSION)/%/msd.png | $(VENV)
	@$(PY) bin/show.py $< && touch $@

$(SLICES)/.checked: $(SLICES)/inputs.json | $(VENV)
	@$(PY) bin/check.py --system $(SYSTEM) --profile $(PROFILE) --out $@

# Scans: one line through the results of several states, whose runs are those of `make diffusion`;
# of several seeds through what they give together.
joined  = $(subst $(subst ,, ),_,$(strip $(1)))
SCANNED = $(call joined,$(call parts,1))/$(call joined,$(call parts,2))$(OF_SEEDS)
ARRHENIUS := $(RUNS)/$(SYSTEM)/$(PROFILE)/arrhenius/$(SCANNED)
PRESSURES := $(RUNS)/$(SYSTEM)/$(PROFILE)/pressure-scan/$(SCANNED)
arrhenius: $(ARRHENIUS)/result.json $(ARRHENIUS)/figure.png | $(VENV) ## Ea and D0, D as bounds where few hops were seen: P="0GPa 4GPa" T="500K 700K 900K"
pressure-scan: $(PRESSURES)/result.json $(PRESSURES)/figure.png | $(VENV) ## Activation volume, D against P: P="0GPa 2.45GPa 4GPa" T=500K
arrhenius pressure-scan:
	@$(PY) bin/show.py $<
	@$(SLICE) --potential=$(MODEL) --report $(POINTS)

$(ARRHENIUS)/result.json: $(POINTS) $(SLICES)/physics.sha | $(VENV)
	@$(STEP) $@ bin/arrhenius.py $(POINTS) --out $@

$(PRESSURES)/result.json: $(POINTS) $(SLICES)/physics.sha | $(VENV)
	@$(STEP) $@ bin/pressure_scan.py $(POINTS) --out $@

$(ARRHENIUS)/figure.png $(PRESSURES)/figure.png: %/figure.png: %/result.json | $(VENV)
	@$(STEP) $@ bin/plot_scan.py $< --out $@ --out $(@D)/figure.pdf

# Columns of several lengths: the same states in several profiles, each made by its own make.
LENGTHS ?= standard standard-long
COLUMNS := $(addprefix $(RUNS)/$(SYSTEM)/column-length/$(call joined,$(LENGTHS))/,$(addsuffix $(OF_SEEDS),$(STATES)))
column-length: $(foreach dir,$(COLUMNS),$(addprefix $(dir)/,result.json figure.png)) | $(VENV) ## D and exponent against the length of a column: P="4GPa" T="900K" LENGTHS="standard standard-long"
	@$(foreach dir,$(COLUMNS),$(PY) bin/show.py $(dir)/result.json;)
	@$(foreach profile,$(LENGTHS),$(SLICE) --profile=$(profile) --potential=$(MODEL) --report $(foreach state,$(STATES),$(call of_length,$(profile),$(state)$(OF_SEEDS))) &&) true

of_length  = $(RUNS)/$(SYSTEM)/$(1)/diffusion/$(2)/result.json
of_lengths = $(foreach profile,$(LENGTHS),$(call of_length,$(profile),$(1)))
define OF_LENGTH
$(call of_length,$(1),%): always | $(VENV)
	@$$(MAKE) --no-print-directory -s PROFILE=$(1) $$@ >&2
endef
$(if $(filter column-length,$(MAKECMDGOALS)),$(foreach profile,$(LENGTHS),$(eval $(call OF_LENGTH,$(profile)))))
$(foreach state,$(STATES),$(call of_lengths,$(state)$(OF_SEEDS))): # named, so that make does not delete them

$(RUNS)/$(SYSTEM)/column-length/$(call joined,$(LENGTHS))/%/result.json: $(call of_lengths,%) $(SLICES)/physics.sha | $(VENV)
	@$(STEP) $@ bin/column_length.py $(call of_lengths,$*) --out $@

$(RUNS)/$(SYSTEM)/column-length/$(call joined,$(LENGTHS))/%/figure.png: $(RUNS)/$(SYSTEM)/column-length/$(call joined,$(LENGTHS))/%/result.json | $(VENV)
	@$(STEP) $@ bin/plot_columns.py $(call of_lengths,$*) --out $@ --out $(@D)/figure.pdf

# How ions move, from the same trajectories; MSD of all states side by side.
MECHANISM := $(RUNS)/$(SYSTEM)/$(PROFILE)/mechanism/$(SCANNED)
MECHANISMS := $(addsuffix /mechanism.json,$(STATE_DIRS))
mechanism: $(MECHANISMS) $(foreach dir,$(STATE_DIRS),$(addprefix $(dir)/,mechanism.png density.png)) $(MECHANISM)/msd.png | $(VENV) ## Hops, waits, concerted moves, exchange, collective D, framework; density and MSD (Figs. 5, 6)
	@$(foreach file,$(MECHANISMS),$(PY) bin/show.py $(file);)
	@$(SLICE) --potential=$(MODEL) --report $(MECHANISMS)

$(DIFFUSION)/%/mechanism.json $(DIFFUSION)/%/mechanism.npz: $(DIFFUSION)/%/traj.h5 $(SLICES)/diffusion.json $(SLICES)/physics.sha | $(VENV)
	@$(STEP) $(@D)/mechanism.json bin/mechanism.py --traj $< --system inputs/$(SYSTEM).toml --settings inputs/diffusion.toml --out $(@D)/mechanism.json

$(DIFFUSION)/%/mechanism.png: $(DIFFUSION)/%/mechanism.json | $(VENV)
	@$(STEP) $@ bin/plot_mechanism.py $< --out $@ --out $(@D)/mechanism.pdf

$(DIFFUSION)/%/density.png: $(DIFFUSION)/%/mechanism.json | $(VENV)
	@$(STEP) $@ bin/plot_density.py $< --out $@ --out $(@D)/density.pdf --out $(@D)/density.html

cross-check: $(addsuffix /cross-check.json,$(STATE_DIRS)) | $(VENV) ## D of the same trajectories by kinisi, beside our own
	@$(SLICE) --potential=$(MODEL) --report $^

$(DIFFUSION)/%/cross-check.json: $(DIFFUSION)/%/traj.h5 $(SLICES)/diffusion.json $(SLICES)/physics.sha | $(VENV)
	@$(STEP) $@ bin/cross_check.py --traj $< --system inputs/$(SYSTEM).toml --settings inputs/diffusion.toml --out $@

$(MECHANISM)/msd.png: $(POINTS) $(MECHANISMS) | $(VENV)
	@$(STEP) $@ bin/plot_pressures.py $(POINTS) --out $@ --out $(@D)/msd.pdf

# Heating and melting. One run a temperature or ramp, each a file; P is 0GPa unless it is given.
MODE      ?= steps
COMMITTEE ?=
ifneq ($(filter melting $(RUNS)/$(SYSTEM)/$(PROFILE)/melting/%,$(MAKECMDGOALS)),)
  MELT_MODEL := $(if $(filter %.pb %.pth %.lammps,$(POTENTIAL)),$(POTENTIAL),$(POTENTIAL:/=)/model-compressed.pb)
  MELT_ASK := $(ANY_PYTHON) bin/melting_files.py --system=$(call quoted,$(SYSTEM)) --profile=$(call quoted,$(PROFILE)) --potential=$(call quoted,$(MELT_MODEL)) --mode=$(call quoted,$(MODE)) --pressure=$(call quoted,$(if $(filter file,$(origin P)),0GPa,$(P))) --temperature=$(call quoted,$(if $(filter file,$(origin T)),,$(T))) --runs=$(call quoted,$(RUNS)) $(foreach model,$(COMMITTEE),--committee=$(call quoted,$(model)))
  MELT_FILES := $(shell $(MELT_ASK))
  ifeq ($(MELT_FILES),)
    $(error inputs as above)
  endif
endif
MELT := $(RUNS)/$(SYSTEM)/$(PROFILE)/melting/$(firstword $(MELT_FILES))
MELT_RUNS := $(addprefix $(MELT)/,$(wordlist 2,999,$(MELT_FILES)))
MELT_HOW = --system inputs/$(SYSTEM).toml --profile $(PROFILE)
MELT_MD = $(MELT_HOW) --potential $(MELT_MODEL) --pressure $(patsubst P%,%,$(firstword $(MELT_FILES))) --out $@ $(if $(FORCE),--force)

# the runs side by side; + waits for all of them
MELT_SHOWN = task:$(if $(filter coexistence,$(MODE)),,$(MELT)/$(MODE)/result.json:)$(MELT)/$(MODE)/figure.png:$(MELT)/.shown
JOBS_melting_coexistence = $(if $(FORCE),,$(addprefix lammps_gpu:,$(MELT_RUNS)) +)lammps_gpu:$(MELT)/coexistence/result.json,$(MELT_SHOWN)
JOBS_melting = $(if $(filter coexistence,$(MODE)),$(JOBS_melting_coexistence),$(addprefix lammps_gpu:,$(MELT_RUNS)) +$(MELT_SHOWN))
melting: $(call here,$(MELT)/$(MODE)/result.json $(MELT)/$(MODE)/figure.png $(MELT)/.shown) | $(VENV) ## Heating and melting (Fig. 4): MODE=steps|ramp|coexistence T="0K 300K ..." COMMITTEE="b.pb c.pb"
	@$(submit)
	@$(if $(call there,$(MELT)/$(MODE)/result.json),$(MELT_ASK) --report $(MELT)/$(MODE)/result.json)
	@$(if $(call there,$(MELT)/result.json),echo 'all modes: $(MELT)/result.json')

# FORCE=1 with MODE=coexistence redoes that alone: the solid's cells stay.
MELT_ANEW := $(if $(filter coexistence,$(MODE)),,$(FORCE))
$(MELT)/steps/T0K/relaxed.extxyz: $(if $(MELT_ANEW),always) | $(VENV)
	@$(STEP) $(if $(MELT_ANEW),--afresh) --record $(SLICES)/melting-steps.json $@ bin/heat.py --temperature 0K $(MELT_MD)

$(MELT)/steps/T%/traj.h5: $(if $(MELT_ANEW),always) | $(VENV)
	@$(STEP) $(if $(MELT_ANEW),--afresh) --record $(SLICES)/melting-steps.json $@ bin/heat.py --temperature $* $(MELT_MD) $(addprefix --committee ,$(COMMITTEE))

$(MELT)/ramp/%/traj.h5: $(if $(FORCE),always) | $(VENV)
	@$(STEP) $(if $(FORCE),--afresh) --record $(SLICES)/melting-ramp.json $@ bin/heat.py --ramp $* $(MELT_MD) $(addprefix --committee ,$(COMMITTEE))

MELT_ASKED := $(MELT)/$(MODE:coexistence=steps)/.asked-$(firstword $(shell echo "$(MELT_RUNS)" | cksum))
ifneq ($(MELT_FILES),)
  $(shell test -e $(MELT_ASKED) || { mkdir -p $(dir $(MELT_ASKED)) && rm -f $(dir $(MELT_ASKED)).asked-* && touch $(MELT_ASKED); })
endif
$(MELT)/steps/result.json $(MELT)/ramp/result.json: $(MELT)/%/result.json: $(MELT_RUNS) $(MELT_ASKED) $(SLICES)/melting-analysis.json | $(VENV)
	@$(STEP) $@ bin/melting.py $(MELT_RUNS) --mode $* $(MELT_HOW) --out $@

# Takes the solid's cell from the steps; its own runs are kept, and read when they are done. So a
# change of the search or of what is seen in them only looks again, and runs what is missing; for
# other runs, which take long, FORCE=1.
$(MELT)/coexistence/result.json: $(if $(FORCE),always) $(wildcard $(SLICES)/$(firstword $(MELT_FILES))-melting-search.json) | $(MELT)/steps/result.json $(VENV)
	@$(STEP) $(if $(FORCE),--afresh) --record $(SLICES)/melting-coexistence.json $@ bin/coexistence.py $(MELT)/steps/melting.npz $(MELT_MD) $(addprefix --committee ,$(COMMITTEE))

$(MELT)/%/figure.png: $(MELT)/%/result.json | $(VENV)
	@$(STEP) $@ bin/plot_melting.py $< --out $@ --out $(@D)/figure.pdf

$(MELT)/result.json: $(MELT)/$(MODE)/result.json | $(VENV)
	@$(STEP) $@ bin/brackets.py $(MELT) --out $@

$(MELT)/.shown: $(MELT)/result.json | $(VENV)
	@$(PY) bin/show.py $(MELT)/$(MODE)/result.json && $(PY) bin/show.py $< && touch $@

labels: $(LABELS)/dataset/origin.json ## Candidate frames from the crystal, labelled by ENGINE=mlip, as a data set
	@echo 'up to date: $(LABELS)/dataset; train on it with DATA=$(LABELS)/dataset'

$(LABELS)/candidates.extxyz: inputs/labels.toml inputs/$(SYSTEM).toml | $(VENV)
	@$(STEP) $@ bin/frames.py --system inputs/$(SYSTEM).toml --out $@

# labelled.extxyz grows frame by frame, so only the stamp says that it is complete.
$(LABELS)/.labelled: $(LABELS)/candidates.extxyz | $(VENV)
	@$(STEP) $(@D)/labelled.extxyz bin/label.py $< --engine $(ENGINE) --threads $(THREADS) --out $(@D)/labelled.extxyz && touch $@

$(LABELS)/dataset/origin.json: $(LABELS)/.labelled | $(VENV)
	@$(STEP) $@ bin/dataset.py $(LABELS)/labelled.extxyz --system inputs/$(SYSTEM).toml --out $(@D)

# Expensive labels come as a stream and are committed as they come: queue, labels and failures.
BUDGET   ?= 2h
RETRY    ?=
QUEUE    ?= inputs/labels/$(SYSTEM)/$(ENGINE)
CAMPAIGN := $(QUEUE:/=)
QUEUE_WORK := $(if $(filter file,$(origin QUEUE)),$(LABELS)/campaign,$(CAMPAIGN)/work)
COLLECT := $(PY) bin/collect.py $(CAMPAIGN)/queue.extxyz --out $(CAMPAIGN)/labelled.extxyz --work $(QUEUE_WORK) --engine $(ENGINE) --system inputs/$(SYSTEM).toml $(if $(RETRY),--retry)
JOBS_label := -
label: | $(VENV) ## Label the next frames of the queue: ENGINE=cp2k BUDGET=2h; RETRY=1 tries failed ones again, QUEUE=02.label of a loop
	@$(if $(submit),jobs=$$($(COLLECT)) && echo $$jobs | $(submit))
	@$(call here,$(PY) bin/campaign.py $(CAMPAIGN)/queue.extxyz --out $(CAMPAIGN)/labelled.extxyz --work $(QUEUE_WORK) --engine $(ENGINE) --system inputs/$(SYSTEM).toml --budget $(BUDGET) $(if $(RETRY),--retry) --threads $(or $(CORES),1))

# One label by one job: a folder for each frame, so that no job sees another's wave function.
$(QUEUE_WORK)/%/label.extxyz: | $(VENV)
	@$(STEP) $@ bin/label.py $(CAMPAIGN)/queue.extxyz --frame $* --engine $(ENGINE) --work $(@D) --threads $(THREADS) --out $@

# Hours a point for the real crystal: computed once, kept, never redone; call again to go on.
CONVERGED := inputs/labels/$(SYSTEM)/$(ENGINE)/convergence
converge: | $(VENV) ## Labels against cutoff, basis, k-points, SCF and smoothing: ENGINE=cp2k; the list is inputs/converge.toml
	@$(PY) bin/converge.py --engine $(ENGINE) --out $(CONVERGED) --work $(LABELS)/convergence $(if $(findstring command,$(origin BUDGET)),--budget $(BUDGET)) --threads $(or $(CORES),1)
	@$(PY) bin/plot_convergence.py $(CONVERGED)/result.json --out $(CONVERGED)/convergence.png

# Training goes on where it stopped; finished, it is redone only with FORCE=1.
JOBS_train = train_gpu:$(TRAINED)/model-compressed.pb,task:$(TRAINED)/result.json:$(TRAINED)/shipped/card.toml
train: $(call here,$(TRAINED)/shipped/card.toml) | $(VENV) ## Train, test and compress a potential: PROFILE=paper for the paper's network, DATA=folder
	@$(submit)
	@$(if $(call there,$(TRAINED)/shipped),$(SLICE) --train=$(NETWORK) --data=$(DATA) --report $(TRAINED)/shipped && echo 'use it with POTENTIAL=$(TRAINED)/shipped')

TRAIN_SLICE := $(RUNS)/$(SYSTEM)/$(PROFILE)/slices/train.json
ifneq ($(filter train $(TRAINED)/%,$(MAKECMDGOALS)),)
  ifeq ($(shell $(SLICE) --train=$(call quoted,$(NETWORK)) --data=$(call quoted,$(DATA)) && echo done),)
    $(error inputs as above)
  endif
endif

# The compressed model is written last.
$(TRAINED)/model-compressed.pb: $(if $(FORCE),always) | $(VENV)
	@$(STEP) $(if $(FORCE),--afresh) --record $(TRAIN_SLICE) $@ bin/train.py $(DATA) --out $(TRAINED) --network $(NETWORK) --system inputs/$(SYSTEM).toml --threads $(THREADS)

$(TRAINED)/result.json: $(TRAINED)/model-compressed.pb $(DATA)/origin.json | $(VENV)
	@$(STEP) $@ bin/assess.py $(DATA) --potential $(@D)/model.pb --system inputs/$(SYSTEM).toml --threads $(THREADS) --out $@

$(TRAINED)/shipped/card.toml: $(TRAINED)/result.json | $(VENV)
	@$(STEP) $@ bin/ship.py $(TRAINED) --dataset $(DATA) --tested $< --out $(@D)

# Two-level training. Compared anew when labels, potential or settings change; trainings are kept.
TEACHER     ?= inputs/labels/$(SYSTEM)/mlip
TUNE_ENGINE := $(if $(filter file,$(origin ENGINE)),cp2k,$(ENGINE))
TUNE_LABELS := $(if $(filter file,$(origin DATA)),inputs/labels/$(SYSTEM)/$(TUNE_ENGINE),$(DATA))
TUNE_OTHER  := $(filter-out inputs/potentials/$(SYSTEM),$(POTENTIAL:/=))
TUNED       := $(RUNS)/$(SYSTEM)/finetune/$(if $(filter file,$(origin DATA)),$(TUNE_ENGINE),$(subst /,_,$(DATA:/=)))$(if $(TUNE_OTHER),_$(subst /,_,$(TUNE_OTHER)))
ifneq ($(filter finetune ship $(TUNED)/%,$(MAKECMDGOALS)),)
  TUNE_BYTES := $(wildcard $(addprefix inputs/,training.toml labels.toml $(SYSTEM).toml) $(TEACHER)/origin.json $(POTENTIAL:/=)/model.pb $(POTENTIAL:/=)/input.json)
  TUNE_BYTES += $(shell find $(TUNE_LABELS) -name '*.npy' -o -name labelled.extxyz -o -path $(TUNE_LABELS) -type f 2>/dev/null | sort)
  TUNE_KEY   := $(dir $(TUNED)).$(notdir $(TUNED))-$(firstword $(shell cat $(TUNE_BYTES) | cksum))
  $(shell test -e $(TUNE_KEY) || { mkdir -p $(dir $(TUNED)) && rm -f $(dir $(TUNED)).$(notdir $(TUNED))-* && touch $(TUNE_KEY); })
endif

finetune: $(TUNED)/result.json $(TUNED)/figure.png $(TUNED)/table.tsv $(TUNED)/tuned/card.toml ## From POTENTIAL on to labels of DFT, compared on held-out ones: ENGINE=cp2k, or DATA=labels
	@echo 'up to date: $(TUNED)/result.json; use the potential with POTENTIAL=$(TUNED)/tuned; `make ship` keeps it'

$(TUNED)/result.json: $(if $(FORCE),always) $(TUNE_KEY) | $(VENV)
	@$(STEP) $(if $(FORCE),--afresh) $@ bin/finetune.py $(TUNE_LABELS) --out $(@D) --potential $(POTENTIAL) --teacher $(TEACHER) --engine $(TUNE_ENGINE) --system inputs/$(SYSTEM).toml --threads $(THREADS)

$(TUNED)/figure.png: $(TUNED)/result.json | $(VENV)
	@$(STEP) $@ bin/plot_finetune.py $< --out $@ --out $(@D)/figure.pdf

$(TUNED)/table.tsv: $(TUNED)/result.json | $(VENV)
	@$(STEP) $@ bin/finetune_table.py $< --out $@

# tuned, and on request alone; `last` is where the trainings with all labels are
$(TUNED)/%/card.toml: $(TUNED)/result.json | $(VENV)
	@$(STEP) $@ $(call ship_tuned,$*) --out $(@D)

# What is committed: the potential under a name of its own, both cards, the evidence.
ship_tuned    = bin/ship.py $(TUNED)/last/$(1) --dataset $(TUNED)/last/data --tested $(TUNED)/last/$(1)/result.json --dft $(TUNED)/result.json
TUNE_SHIPPED := inputs/potentials/$(SYSTEM)-$(TUNE_ENGINE)
TUNE_SHOWN   := regression/evidence/$(SYSTEM)/finetune
ship: finetune | $(VENV) ## The fine-tuned potential, cards and evidence to where they are committed: ENGINE=cp2k
	@$(PY) $(call ship_tuned,tuned) --out $(TUNE_SHIPPED)
	@$(if $(wildcard $(POTENTIAL:/=)/card.toml),$(PY) bin/card_dft.py $(POTENTIAL:/=) --result $(TUNED)/result.json)
	@mkdir -p $(TUNE_SHOWN) && cp $(addprefix $(TUNED)/,result.json table.tsv figure.png) $(TUNE_SHOWN)
	@echo 'to commit: $(TUNE_SHIPPED) $(POTENTIAL:/=)/card.toml $(TUNE_SHOWN); use it with POTENTIAL=$(TUNE_SHIPPED)'

# The loop keeps its own state: every call goes on where it is and makes nothing twice. On a cluster
# one job does all of it, labels too, until it is finished; with APART=1 it ends where labels are
# needed, and `make label QUEUE=` makes them, one job a frame.
ITERS ?=
APART ?=
LOOP_HOW = $(if $(ITERS),--iterations $(ITERS)) $(if $(APART),--labels-apart)
LOOP  := $(RUNS)/$(SYSTEM)/loop
JOBS_loop = train_gpu:$(LOOP)/result.json
loop: $(call here,$(LOOP)/result.json) | $(VENV) ## Concurrent learning: ENGINE=mlip|cp2k|vasp ITERS=n DATA=data set to begin with; RETRY=1: failed labels again; APART=1: labels by make label
	@$(if $(submit),why=$$($(if $(RETRY),,$(PY) bin/loop_left.py $(LOOP) $(LOOP_HOW))) && if test "$$why"; then echo "$$why"; else $(submit); fi)

$(LOOP)/result.json: always | $(VENV)
	@$(STEP) $@ bin/loop.py $(DATA) --out $(@D) --engine $(ENGINE) --profile $(PROFILE) $(LOOP_HOW) $(if $(RETRY),--retry) --system inputs/$(SYSTEM).toml --cores $(THREADS)

DPGEN := $(RUNS)/$(SYSTEM)/dpgen
dpgen-inputs: | $(VENV) ## The same schedule for DP-GEN: param.json and structures; ENGINE=vasp|cp2k PROFILE=paper|quick
	@$(PY) bin/dpgen_inputs.py $(DATA) --out $(DPGEN) --engine $(if $(findstring command,$(origin ENGINE)),$(ENGINE),vasp) --profile $(PROFILE) --system inputs/$(SYSTEM).toml

EXPORTED ?= $(RUNS)/$(SYSTEM)/export/$(subst /,_,$(DATA:/=)).extxyz
export: | $(VENV) ## Any data set as extxyz: DATA=folder
	@$(PY) bin/export.py $(DATA) --out $(EXPORTED)
	@echo 'made: $(EXPORTED)'

##@ Benchmarks
# What is verified is the content of these files: it is done again when a byte of them changes.
REFERENCE ?= inputs/labels/$(SYSTEM)/$(ENGINE)-reference.extxyz
VERIFIED  := $(RUNS)/$(SYSTEM)/verify
ifneq ($(filter verify $(VERIFIED)/%,$(MAKECMDGOALS)),)
  PAIR  := $(addprefix $(POTENTIAL:/=)/,model.pb model-compressed.pb)
  BYTES := $(wildcard $(PAIR) $(REFERENCE) inputs/verify.toml inputs/md.toml inputs/$(SYSTEM).toml inputs/lammps/*.in)
  VERIFY_KEY := $(VERIFIED)/.inputs-$(firstword $(shell cat $(BYTES) | cksum))
  $(shell test -e $(VERIFY_KEY) || { mkdir -p $(VERIFIED) && rm -f $(VERIFIED)/.inputs-* && touch $(VERIFY_KEY); })
endif

verify: $(VERIFIED)/result.json ## POTENTIAL against its teacher: lattice, pressure, hop paths, energy drift, stability, compression
	@echo 'up to date: $(VERIFIED)/result.json'

$(VERIFIED)/result.json: $(VERIFY_KEY) | $(VENV)
	@$(STEP) $@ bin/verify.py $(POTENTIAL) --reference $(REFERENCE) --system inputs/$(SYSTEM).toml --out $@

# Barriers. ENGINE=mlip ON=dp gives the teacher's energies along the paths found with ON.
CASE ?= $(if $(BY_POINTS),$(firstword $(CASES)),$(CASES))
CASES = $(or $(strip $(shell sed -n 's/^\[neb\.\(.*\)\]/\1/p' inputs/$(SYSTEM).toml 2>/dev/null)),slide hop_1x1x2)
ON   ?= $(if $(BY_POINTS),dp)
# These relax nothing: single points on structures and turning points of another engine.
BY_POINTS = $(filter cp2k vasp,$(NEB_ENGINE))
NEB  := $(RUNS)/$(SYSTEM)/neb
NEB_ENGINE := $(if $(filter file,$(origin ENGINE)),dp,$(ENGINE))
NEB_FINDER := $(or $(ON),$(NEB_ENGINE))
# dp, or dp_path of another potential
named       = $(1)$(if $(filter dp,$(1)),$(addprefix _,$(subst /,_,$(filter-out inputs/potentials/$(SYSTEM),$(POTENTIAL:/=)))))
NEB_FOUND  := $(NEB)/$(call named,$(NEB_FINDER))
NEB_ON     := $(NEB)/$(call named,$(NEB_ENGINE))-on-$(notdir $(NEB_FOUND))
NEB_DIR    := $(if $(ON),$(NEB_ON),$(NEB_FOUND))
ifneq ($(filter neb benchmark $(NEB)/%,$(MAKECMDGOALS)),)
  NEB_P := $(if $(filter file,$(origin P)),0GPa 4GPa,$(P))
  NEB_P := $(patsubst %/T0K,%,$(shell $(ANY_PYTHON) bin/normalise.py --pressure=$(call quoted,$(NEB_P)) --temperature=0K))
  ifeq ($(NEB_P),)
    $(error P as above)
  endif
  NEB_KNOWN := $(or $(shell sed -n 's/^\[neb\.\(.*\)\]/\1/p' inputs/$(SYSTEM).toml 2>/dev/null),$(shell sed -n 's/^\[case\.\(.*\)\]/\1/p' inputs/neb.toml))
  $(foreach name,$(filter-out $(NEB_KNOWN),$(CASE)),$(error CASE="$(name)": there is $(NEB_KNOWN)))
  NEB_BYTES := $(wildcard $(addprefix inputs/,neb.toml $(SYSTEM).toml labels.toml structures/*.vasp) $(POTENTIAL:/=)/model.pb $(filter %.pb %.pth,$(POTENTIAL)))
  NEB_KEY   := $(NEB_FOUND)/.inputs-$(firstword $(shell cat $(NEB_BYTES) | cksum))
  ON_KEY    := $(if $(ON),$(NEB_ON)/.inputs-$(firstword $(shell cat $(wildcard $(addprefix inputs/,labels.toml $(NEB_ENGINE).toml)) | cksum)))
  $(foreach key,$(NEB_KEY) $(ON_KEY),$(shell test -e $(key) || { mkdir -p $(dir $(key)) && rm -f $(dir $(key)).inputs-* && touch $(key); }))
endif
NEB_RESULTS := $(foreach p,$(NEB_P),$(foreach c,$(CASE),$(NEB_DIR)/$(p)/$(c)/result.json))

neb: $(NEB_RESULTS) $(NEB_RESULTS:result.json=profile.png) ## Barriers of the hop: CASE="slide next_1x1x4" P="0GPa 4GPa"; ENGINE=mlip ON=dp: the teacher on those paths
	@$(foreach file,$(NEB_RESULTS),echo 'up to date: $(file)';)

$(NEB_FOUND)/%/result.json: $(NEB_KEY) | $(VENV)
	@$(STEP) $@ bin/neb.py --case $(lastword $(subst /, ,$*)) --pressure $(patsubst P%,%,$(firstword $(subst /, ,$*))) $(if $(FORCE),--force) --engine $(NEB_FINDER) --potential $(POTENTIAL) --system inputs/$(SYSTEM).toml --work $(NEB)/work --out $@ || { code=$$?; [ $$code != 3 ] || [ ! -e $@ ] || $(PY) bin/plot_neb.py $@ --out $(@D)/profile.png; exit $$code; }

$(NEB_ON)/%/result.json: $(NEB_FOUND)/%/result.json $(ON_KEY) | $(VENV)
	@$(STEP) $@ bin/neb.py --reevaluate $(<D)/path.extxyz --engine $(NEB_ENGINE) --potential $(POTENTIAL) --system inputs/$(SYSTEM).toml --work $(NEB)/work --out $@

$(NEB)/%/profile.png: $(NEB)/%/result.json | $(VENV)
	@$(STEP) $@ bin/plot_neb.py $< --out $@ --out $(@D)/profile.pdf

# Any engine on the crystal: ENGINE=mlip, or POTENTIAL=path of any frozen DeePMD model. As above, the
# content of the files decides; the results of another potential lie beside those of the shipped one.
# Of inputs/benchmark.toml a benchmark depends on its own part, without comments; and on its code.
BENCHMARKS := parity lattice eos phonons
CODE_parity  := benchmark/parity.py
CODE_lattice := benchmark/lattice.py structures/relax.py
CODE_eos     := benchmark/eos.py physics/eos.py structures/relax.py
CODE_phonons := benchmark/phonons.py benchmark/force_constants.py benchmark/soft_modes.py structures/relax.py
part_of = awk -v part=$(1) '/^\[/ { mine = index($$0, "[" part "]") == 1 || index($$0, "[" part ".") == 1 } mine { sub(/ *\#.*/, ""); print }' inputs/benchmark.toml
BENCH_ENGINE := $(if $(filter file,$(origin ENGINE)),dp,$(ENGINE))
BENCH_NAME := $(call named,$(BENCH_ENGINE))
BENCH      := $(RUNS)/$(SYSTEM)/benchmark/$(BENCH_NAME)
BENCH_DATA := $(if $(filter file,$(origin DATA)),inputs/labels/$(SYSTEM)/mlip,$(DATA))
BENCH_FROM := $(firstword $(wildcard inputs/labels/$(SYSTEM)/*-reference.extxyz))
ifneq ($(filter benchmark $(BENCHMARKS) $(BENCH)/%,$(MAKECMDGOALS)),)
  $(if $(filter command,$(origin P)),$(if $(filter-out $(BENCHMARKS),$(MAKECMDGOALS)),,$(error P="$(P)": $(MAKECMDGOALS) belongs to the crystal at 0 GPa. Leave P out)))
  BENCH_BYTES := $(wildcard $(addprefix inputs/,labels.toml $(BENCH_ENGINE).toml $(SYSTEM).toml structures/*.vasp) $(BENCH_FROM))
  BENCH_BYTES += $(if $(filter dp,$(BENCH_ENGINE)),$(wildcard $(if $(wildcard $(POTENTIAL:/=)/.),$(POTENTIAL:/=)/model.pb,$(POTENTIAL))))
  $(foreach task,$(BENCHMARKS),$(eval KEY_$(task) := $(BENCH)/$(task)/.inputs-$(firstword $(shell { cat $(BENCH_BYTES) $(addprefix lib/dpchannel/,$(CODE_$(task))); $(call part_of,$(task)); $(if $(BY_POINTS),$(call part_of,points);) } | cksum))))
  PARITY_KEY  := $(BENCH)/parity/.data-$(firstword $(shell find $(BENCH_DATA) -name '*.npy' -o -name '*.extxyz' 2>/dev/null | sort | xargs cat | cksum))
  $(foreach key,$(foreach task,$(BENCHMARKS),$(KEY_$(task))) $(PARITY_KEY),$(shell test -e $(key) || { mkdir -p $(dir $(key)) && rm -f $(dir $(key))$(firstword $(subst -, ,$(notdir $(key))))-* && touch $(key); }))
endif
BENCH_HOW = --engine $(BENCH_ENGINE) $(if $(filter dp,$(BENCH_ENGINE)),--potential $(POTENTIAL)) --system inputs/$(SYSTEM).toml --out $@

benchmark: $(if $(BY_POINTS),$(filter-out phonons,$(BENCHMARKS)),$(BENCHMARKS)) neb ## All of parity, lattice, eos, phonons, neb: ENGINE=mlip|cp2k|vasp, or POTENTIAL=any frozen model
parity: $(BENCH)/parity/result.json $(BENCH)/parity/figure.png ## Energies and forces against labels, trained on and held out (Fig. 2a, b)
lattice: $(BENCH)/lattice/result.json $(BENCH)/lattice/table.tsv ## The relaxed crystal beside paper, teacher, PBE and experiment (Table I)
eos: $(BENCH)/eos/result.json $(BENCH)/eos/figure.png ## Energy against strain, volume against pressure, bulk modulus (Fig. 2c)
phonons: $(BENCH)/phonons/result.json $(BENCH)/phonons/figure.png ## Bands in 1x1x1 and 2x2x2, states, heat capacity, soft modes (Fig. 3)
$(BENCHMARKS):
	@$(foreach file,$^,echo 'up to date: $(file)';)

$(BENCH)/parity/result.json: $(KEY_parity) $(PARITY_KEY) | $(VENV)
	@$(STEP) $@ bin/parity.py $(BENCH_DATA) $(BENCH_HOW)

GIVEN := $(RUNS)/$(SYSTEM)/benchmark/dp
$(BENCH)/lattice/result.json: $(KEY_lattice) $(if $(BY_POINTS),$(GIVEN)/lattice/result.json) | $(VENV)
	@$(STEP) $@ bin/lattice.py $(addprefix --reference ,$(BENCH_FROM)) $(if $(BY_POINTS),--given $(GIVEN)/lattice/relaxed.extxyz) $(BENCH_HOW)

# asked for every time, done again when the shipped potential is another one
ifneq ($(BY_POINTS),)
$(GIVEN)/lattice/result.json $(GIVEN)/eos/result.json: $(GIVEN)/%/result.json: always | $(VENV)
	@$(MAKE) --no-print-directory $@ ENGINE=dp POTENTIAL=inputs/potentials/$(SYSTEM)
$(GIVEN)/eos/result.json: $(GIVEN)/lattice/result.json
endif

# Table I takes every lattice that lies about, in runs and in the committed evidence.
LATTICES = $(wildcard $(foreach task,lattice eos,$(RUNS)/$(SYSTEM)/benchmark/*/$(task)/result.json regression/evidence/$(SYSTEM)/$(task)/*/result.json))
$(BENCH)/lattice/table.tsv: $(BENCH)/lattice/result.json $(filter-out $(BENCH)/$(if $(BY_POINTS),lattice/result.json,%),$(LATTICES)) | $(VENV)
	@$(STEP) $@ bin/table_one.py $^ --out $@

$(BENCH)/phonons/result.json: $(KEY_phonons) $(if $(BY_POINTS),,$(BENCH)/lattice/result.json) | $(VENV)
	@$(STEP) $@ bin/phonons.py $(if $(BY_POINTS),,$(BENCH)/lattice/relaxed.extxyz) $(BENCH_HOW)

$(BENCH)/eos/result.json: $(KEY_eos) $(if $(BY_POINTS),$(GIVEN)/eos/result.json,$(BENCH)/lattice/result.json) | $(VENV)
	@$(STEP) $@ bin/eos.py $(if $(BY_POINTS),$(GIVEN)/eos/cells.extxyz,$(BENCH)/lattice/relaxed.extxyz) $(BENCH_HOW)

$(BENCH)/%/figure.png: $(BENCH)/%/result.json | $(VENV)
	@$(STEP) $@ bin/plot_$*.py $< --out $@ --out $(@D)/figure.pdf

# A dopant beside pressure; DOPANT= names another element. ENGINE=vasp writes inputs, runs nothing.
# Potential and teacher are among what decides, by content.
DOPANT   ?= $(firstword $(shell sed -n 's/^dopant = "\(.*\)".*/\1/p' inputs/chemical-pressure.toml))
CHEMICAL := $(RUNS)/$(SYSTEM)/chemical-pressure/$(BENCH_NAME)/$(DOPANT)
ifneq ($(filter chemical-pressure $(CHEMICAL)/%,$(MAKECMDGOALS)),)
  CHEMICAL_BYTES := $(wildcard $(addprefix inputs/,chemical-pressure.toml labels.toml $(BENCH_ENGINE).toml $(SYSTEM).toml structures/*.vasp) requirements-mlip.lock)
  CHEMICAL_BYTES += $(if $(filter dp,$(BENCH_ENGINE)),$(wildcard $(if $(wildcard $(POTENTIAL:/=)/.),$(POTENTIAL:/=)/model.pb,$(POTENTIAL))))
  CHEMICAL_KEY   := $(CHEMICAL)/.inputs-$(firstword $(shell cat $(CHEMICAL_BYTES) | cksum))
  $(if $(filter vasp,$(BENCH_ENGINE)),,$(shell test -e $(CHEMICAL_KEY) || { mkdir -p $(CHEMICAL) && rm -f $(CHEMICAL)/.inputs-* && touch $(CHEMICAL_KEY); }))
endif
CHEMICAL_HOW = $(PY) bin/chemical_pressure.py --system inputs/$(SYSTEM).toml --dopant $(DOPANT)
chemical-pressure: $(if $(filter vasp,$(BENCH_ENGINE)),,$(CHEMICAL)/$(if $(filter cp2k,$(BENCH_ENGINE)),result.json,figure.png)) | $(VENV) ## Ring edges, a, c, V against pressure and with a dopant (Fig. 7): ENGINE=dp|mlip DOPANT=Cu; ENGINE=cp2k: points, no curve; ENGINE=vasp: inputs
	@$(if $(filter vasp,$(BENCH_ENGINE)),$(CHEMICAL_HOW) --vasp-inputs --out $(CHEMICAL),echo 'up to date: $(CHEMICAL)/result.json')

$(CHEMICAL)/result.json: $(CHEMICAL_KEY) | $(VENV)
	@$(STEP) $@ $(wordlist 2,9,$(CHEMICAL_HOW)) --engine $(BENCH_ENGINE) $(if $(filter dp,$(BENCH_ENGINE)),--potential $(POTENTIAL)) --out $@

$(CHEMICAL)/figure.png: $(CHEMICAL)/result.json | $(VENV)
	@$(PY) bin/plot_chemical.py $< --out $@ --out $(@D)/figure.pdf

# Speed, measured on a quiet machine and kept: BUSY=1 measures all the same, and says so.
BENCHED := $(RUNS)/$(SYSTEM)/bench
FRAMES  ?= 20000
FEED    ?= ions
PAPER   ?=
bench: | $(VENV) ## Speed of MD: networks, kernels, ranks, threads, sizes; fills docs/performance.md, docs/scale.md. PAPER=trained network of its size
	@$(PY) bin/bench.py $(POTENTIAL) --data inputs/labels/$(SYSTEM)/mlip --system inputs/$(SYSTEM).toml --out $(BENCHED)$(if $(PAPER), --paper $(PAPER))$(if $(BUSY), --busy)
	@$(BENCH_DOCS)

BENCH_DOCS = $(PY) bin/bench_docs.py regression/evidence/$(SYSTEM)/bench --measured $(BENCHED)
bench-analysis: | $(VENV) ## From a run's files to D, timed against other tools: FRAMES="2000 20000" FEED=ions|all
	@$(foreach n,$(FRAMES),$(PY) bin/bench_analysis.py --frames $(n) --feed $(FEED) --system inputs/$(SYSTEM).toml --out $(BENCHED)/analysis$(if $(BUSY), --busy) &&) true
	@$(BENCH_DOCS)

##@ Project
setup: $(VENV) ## Build .venv from requirements.lock (every other task does so by itself)
	@echo 'ready: $(PY)'

setup-mlip: $(MLIP) ## Add the teacher, SevenNet with torch: 2.5 to 3 GB to download
	@echo 'ready: the teacher'

setup-dft: ## Add CP2K from the system's packages (apt-get)
	@bin/setup_dft.sh
	@echo 'ready: CP2K'

native: | $(VENV) ## Compile the slowest kernels of MD for this CPU, as set-up does where there is g++; NATIVE=0 leaves them out
	@$(PY) bin/native.py

doctor: | $(VENV) ## What is installed, which engines work here, what to do about the rest
	@$(PY) bin/doctor.py

status: | $(VENV) ## Finished, running, interrupted, failed and stale runs
	@$(PY) bin/status.py $(RUNS)

lint: | $(VENV) ## ruff, mypy and the import layers
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@.venv/bin/mypy
	@.venv/bin/lint-imports

test: | $(VENV) ## Everything but the slow tests, on two cores: ARGS="-k hops" chooses
	@OMP_NUM_THREADS=1 $(PY) -m pytest -q -n 2 $(ARGS)

test-slow: | $(VENV) ## The tests that take minutes each
	@OMP_NUM_THREADS=1 $(PY) -m pytest -q -m slow --slow $(ARGS)

regression: | $(VENV) ## Every pin that this machine can check: measured anew, or against its evidence
	@OMP_NUM_THREADS=1 $(PY) -m pytest -q regression --every-tier $(ARGS)

repin: | $(VENV) ## Set pins: ID="a.b.c d.e.f" REASON="why" [FROM=result.json]
	@$(if $(ID),,$(error ID=: name the pins, as in ID="$(SYSTEM).neb.P4GPa-slide.barrier_forward" REASON="why"))$(PY) bin/repin.py $(ID) --reason $(call quoted,$(REASON)) $(if $(FROM),--from $(call quoted,$(FROM)))

compare: | $(VENV) ## One table: paper, literature and what was measured here
	@$(PY) bin/compare.py --runs $(RUNS)/$(SYSTEM) --system $(SYSTEM)

clean: ## Remove caches; .venv and runs/ stay
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache build lib/*.egg-info
	@find . -path ./.venv -prune -o -path ./runs -prune -o -name __pycache__ -prune -exec rm -r {} +

help: ## This list
	@awk '/^##@ / { printf "\n%s\n", substr($$0, 5) } /^[a-z-]+:.*## / { n = $$0; sub(/:.*/, "", n); sub(/.*## /, ""); printf "  make %-12s %s\n", n, $$0 }' Makefile
	@echo
	@echo 'Now: SYSTEM=$(SYSTEM) PROFILE=$(PROFILE) P="$(P)" T="$(T)" ENGINE=$(ENGINE) RUNNER=$(RUNNER) POTENTIAL=$(POTENTIAL)'
	@echo 'Also: FORCE=1 redoes a finished run (the old one is moved aside), RUNNER=slurm SITE=name YES=1, CORES=n, -j2, RUNS=folder, PYTHON=python3.12'

# What is missing is made again, but for a trajectory whose result is there. No product is half-written
# (scripts write aside and rename), so make has nothing to delete when a step fails or is stopped.
.SECONDARY: $(addsuffix /traj.h5,$(STATE_DIRS))
.PRECIOUS: $(foreach file,traj.h5 result.json msd.npz msd.png msd.pdf mechanism.json mechanism.npz,$(DIFFUSION)/%/$(file)) $(NEB_FOUND)/%/result.json $(NEB)/%/result.json
.PHONY: always structure diffusion arrhenius pressure-scan column-length mechanism cross-check melting labels label converge train finetune ship loop dpgen-inputs export verify neb benchmark parity lattice eos phonons bench chemical-pressure bench-analysis setup setup-mlip native setup-dft doctor status lint test test-slow regression repin compare clean help
