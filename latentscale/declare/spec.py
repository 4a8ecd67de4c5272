"""The spec: frozen records that declare a model, and its priors."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import BeforeValidator, Field, SerializeAsAny, field_validator, model_validator

from latentscale.declare.benchmarks import BenchmarkSpec, Instruct
from latentscale.declare.choice import Choice
from latentscale.declare.facts import away_from_defaults, facts_of
from latentscale.declare.given_priors import Priors, prior_of
from latentscale.declare.kinds import TERMS, SetByTables
from latentscale.declare.prior import PRIOR_SLOTS, REAL, Prior
from latentscale.declare.record import Record
from latentscale.declare.skills import FamilySpec, SkillSpec
from latentscale.declare.undisclosed import Estimated, LeaveOut, some_need_tokens
from latentscale.errors import SpecError, listed, nearest
from latentscale.markup import facts_table, fitted_text
from latentscale.validate import UNSTORABLE_RULE, unstorable

if TYPE_CHECKING:
    import pandas as pd

_NOT_THE_MODEL = ("name", "description", "sources", "optional", "priors")
"""Fields that do not change the density; of the priors, a digest covers those that are used."""
_A_TERM = Choice(SetByTables())


class ModelSpec(Record):
    """A complete, frozen declaration of a model; it holds no data.

    `with_` and `with_priors` return changed copies.

    Attributes
    ----------
    name
        Name of the model.
    description
        One-line description of the model.
    sources
        The papers it follows.
    covariates
        Covariates of the skills: ``log_params``, ``log_tokens``, ``log_flops``, ``instruct``,
        any other feature of the table by its name, such as ``released``, or products and squares
        such as ``log_params:log_tokens``. They are checked against the table when the spec is
        fitted to it.
    optional
        Covariates that a table need not have: if fewer than half of the models state one, it is
        left out of the fit with a warning, as are terms that use it. Names that are not in
        `covariates` have no effect.
    skills
        How many skills, and what identifies them.
    family
        How families differ.
    benchmarks
        How skills become scores.
    undisclosed
        How to treat models whose training tokens are needed but undisclosed: leave them out, or
        fit them with their tokens as parameters.
    terms
        Further terms of the equations, one table each: a trend, or a kind registered by another
        package.
    priors
        Priors that replace the defaults of `PRIOR_SLOTS`, by parameter name.

    Raises
    ------
    SpecError
        If a field is unknown, out of range, or contradicts another.

    Examples
    --------
    >>> spec = ls.load_spec("latentscale")
    >>> spec.skills.count, spec.benchmarks.link.kind
    (2, 'power-logistic')
    >>> spec.with_({"name": "steady", "skills.residual": False}).skills.residual
    False
    """

    name: str
    description: str = ""
    sources: tuple[str, ...] = ()
    covariates: tuple[str, ...] = ("log_flops",)
    optional: tuple[str, ...] = ()
    skills: SkillSpec = SkillSpec()
    family: FamilySpec = FamilySpec()
    benchmarks: BenchmarkSpec = Field(default_factory=BenchmarkSpec)
    undisclosed: Annotated[LeaveOut | Estimated, Field(discriminator="kind")] = LeaveOut()
    terms: Annotated[
        tuple[SerializeAsAny[Record], ...], BeforeValidator(_A_TERM.each), _A_TERM
    ] = ()
    priors: Annotated[dict[str, Prior], Field(strict=False)] = Priors()

    @field_validator("name", "description", "sources")
    @classmethod
    def _storable(cls, texts: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for text in (texts,) if isinstance(texts, str) else texts:
            if unstorable(text):
                raise SpecError(f"{text!r}: {UNSTORABLE_RULE}")
        return texts

    @field_validator("covariates")
    @classmethod
    def _known_covariates(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            factors = name.split(":")
            if not all(factor and factor == factor.strip() for factor in factors):
                raise SpecError(
                    f'covariates: "{name}" is not the name of a feature, or of a product such as '
                    '"log_params:log_tokens"; leave out spaces, and empty names.'
                )
            if len(factors) > 2:
                raise SpecError(f'covariates: "{name}" multiplies more than two covariates.')
        if len(set(names)) < len(names):
            raise SpecError(f"covariates: a name is repeated in {listed(names)}.")
        return names

    @field_validator("priors", mode="before")
    @classmethod
    def _read_priors(cls, priors: Any) -> Any:
        if not isinstance(priors, Mapping):
            raise SpecError(
                "priors must be a table, such as priors.slope = "
                f'{{dist = "Normal", mu = 0, sigma = 1}}; got {priors!r}.'
            )
        return {name: prior_of(str(name), prior) for name, prior in priors.items()}

    @field_validator("priors")
    @classmethod
    def _known_priors(cls, priors: dict[str, Prior]) -> dict[str, Prior]:
        for name, prior in priors.items():
            if name not in PRIOR_SLOTS:
                raise SpecError(
                    f'priors: no parameter is called "{name}"; allowed are '
                    f"{listed(PRIOR_SLOTS, 30)}." + nearest(name, PRIOR_SLOTS)
                )
            wanted = PRIOR_SLOTS[name].default.support
            real_loading = name == "loading" and prior.support == REAL
            if prior.support != wanted and not real_loading:
                raise SpecError(
                    f'priors: "{name}" is {wanted}, but {prior} lives on the {prior.support} '
                    f"{'line' if prior.support == REAL else 'range'}."
                )
        return Priors(priors)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        terms: tuple[Any, ...] = self.terms  # records of `latentscale.model.terms.base.Term`
        used = (
            ("family.slopes", self.family.slopes),
            ("benchmarks.slopes", self.benchmarks.slopes),
            ("benchmarks.family_slopes", self.benchmarks.family_slopes),
            ("benchmarks.instruct.slopes", self.benchmarks.instruct.slopes),
            ("benchmarks.precision_covariates", self.benchmarks.precision_covariates),
            *((f"terms, {t.kind}", names) for t in terms for names in t.covariates().values()),
        )
        for where, names in used:
            for name in names:
                if name not in self.covariates:
                    raise SpecError(
                        f'{where}: "{name}" must also be among covariates, which has '
                        f"{listed(self.covariates) or 'none'}." + nearest(name, self.covariates)
                    )
        for term in terms:
            term.check(self)
        self._check_deviations()
        varying = bool(self.covariates) or self.family.level != "none" or self.skills.residual
        if self.skills.count and not varying:
            raise SpecError(
                "Skills need something that varies between models: name covariates, or set "
                'family.level to "partial".'
            )
        if not (self.skills.count or self._varies_beside_skills(terms)):
            raise SpecError(
                "skills.count is 0, so every model would have the same expected score; give "
                "benchmarks.slopes, benchmarks.family_effect or benchmarks.instruct."
            )
        pooled = self.family.lineage or self.family.slopes or self.benchmarks.family_slopes
        if self.family.level != "partial" and pooled:
            raise SpecError(
                f'family.level is "{self.family.level}"; family.lineage, family.slopes and '
                'benchmarks.family_slopes need "partial".'
            )
        if self.benchmarks.family_slope_spreads != "shared" and not self.benchmarks.family_slopes:
            raise SpecError(
                "benchmarks.family_slope_spreads is "
                f'"{self.benchmarks.family_slope_spreads}" but benchmarks.family_slopes is empty, '
                "so there are no slopes to spread; name covariates there, or leave it out."
            )
        if self.family.level == "none" and self.benchmarks.family_effect:
            raise SpecError(
                'benchmarks.family_effect is true but family.level is "none"; set it to '
                '"partial" or "fixed".'
            )
        if self.undisclosed.kind == "estimated" and not self.needs_tokens:
            raise SpecError(
                'undisclosed is "estimated", but no covariate uses training tokens, so nothing '
                "depends on them; leave it out, or name log_tokens or log_flops in covariates."
            )
        return self

    def _varies_beside_skills(self, terms: tuple[Any, ...]) -> bool:
        """Return whether expected scores differ between models by more than their skills."""
        settings = self.benchmarks
        own = settings.slopes or settings.family_effect or settings.instruct != Instruct()
        return bool(own) or any(term.share() is not None for term in terms)

    def _check_deviations(self) -> None:
        """Raise SpecError where deviations of models or families have nothing to act on."""
        if self.skills.count == 0 and (self.skills.residual or self.family.slopes):
            raise SpecError(
                "skills.count is 0, so skills.residual and family.slopes have nothing to act on; "
                "leave them out."
            )
        if self.skills.release and not self.skills.residual:
            raise SpecError(
                "skills.release is true but skills.residual is not, so models have no deviation "
                "that settings of a release could share; set skills.residual to true."
            )

    @property
    def needs_tokens(self) -> bool:
        """Whether some covariate needs the training tokens of a model.

        Examples
        --------
        >>> ls.load_spec("pooled_flops").needs_tokens
        True
        """
        return some_need_tokens(self.covariates)

    @property
    def needs_instruct(self) -> bool:
        """Whether the spec uses the instruct flag.

        Examples
        --------
        >>> ls.load_spec("pooled_flops").needs_instruct
        False
        """
        return (
            self.benchmarks.instruct.shift
            or bool(self.benchmarks.instruct.slopes)
            or any("instruct" in name.split(":") for name in self.covariates)
        )

    def prior(self, name: str) -> Prior:
        """Return the prior of a parameter: the spec's own, or else the default.

        Parameters
        ----------
        name
            A prior slot, such as ``"slope"``: a key of `latentscale.declare.PRIOR_SLOTS`.

        Returns
        -------
        Prior
            The prior.

        Raises
        ------
        SpecError
            If no parameter has that name.

        Examples
        --------
        >>> ls.load_spec("latentscale").prior("slope")
        Prior('Normal', mu=0.5, sigma=0.5)
        """
        if name not in PRIOR_SLOTS:
            raise SpecError(f'No parameter is called "{name}".' + nearest(name, PRIOR_SLOTS))
        return self.priors.get(name, PRIOR_SLOTS[name].default)

    def with_priors(self, priors: Mapping[str, Prior | Mapping[str, Any]]) -> ModelSpec:
        """Return a copy in which these priors replace the spec's own (user > spec > default).

        `with_` changes other fields.

        Parameters
        ----------
        priors
            `Prior` objects, or tables such as ``{"dist": "Normal", "mu": 0, "sigma": 1}``, by slot.

        Returns
        -------
        ModelSpec
            The changed copy.

        Raises
        ------
        SpecError
            If a parameter or a distribution is unknown, or has the wrong support.

        Examples
        --------
        >>> spec = ls.load_spec("latentscale")
        >>> spec.with_priors({"slope": ls.Prior("Normal", mu=0, sigma=2)}).prior("slope")
        Prior('Normal', mu=0.0, sigma=2.0)
        """
        if not isinstance(priors, Mapping):
            raise SpecError(
                'Priors must be given by parameter name, such as {"slope": {"dist": "Normal", '
                f'"mu": 0, "sigma": 1}}}}; got {priors!r}.'
            )
        return self.model_copy(update={"priors": {**self.priors, **priors}})

    def to_dict(self) -> dict[str, Any]:
        """Return the spec as plain JSON types, for `latentscale.declare.io.spec_from_dict`.

        Returns
        -------
        dict
            Every field, with its defaults.

        Examples
        --------
        >>> ls.load_spec("latentscale").to_dict()["skills"]["count"]
        2
        """
        document = self.model_dump(mode="json", exclude={"priors"})
        document["priors"] = {name: prior.to_dict() for name, prior in self.priors.items()}
        return document

    def to_json(self) -> str:
        """Return the spec as canonical JSON text (sorted keys).

        Returns
        -------
        str
            JSON that `latentscale.declare.spec_from_json` reads back.

        Examples
        --------
        >>> len(ls.load_spec("latentscale").to_json()) > 100
        True
        """
        return json.dumps(self.to_dict(), sort_keys=True)

    @property
    def digest(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 of the model; its name does not enter.

        It covers the settings that differ from the defaults and the priors that the model uses, so
        a later version that adds an option or a prior slot gives the same digest. It ignores which
        covariates are optional: a fit either has them or its spec does not name them.

        Examples
        --------
        >>> spec = ls.load_spec("latentscale")
        >>> spec.digest == spec.with_({"name": "another name"}).digest
        True
        >>> spec.digest == spec.with_({"skills.residual": False}).digest
        False
        """
        document = away_from_defaults(self, leave_out=_NOT_THE_MODEL)
        document["priors"] = {name: self.prior(name).to_dict() for name in self.used_priors()}
        return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:16]

    def used_priors(self) -> tuple[str, ...]:
        """Return the prior slots that the model uses, sorted.

        Returns
        -------
        tuple of str
            Names of prior slots.

        Examples
        --------
        >>> ls.load_spec("pooled_flops").used_priors()
        ('benchmark_slope', 'intercept', 'precision')
        """
        terms = (kind.of(self) for kind in TERMS.values())
        return tuple(
            sorted({name for term in terms if term is not None for name in term.used_slots(self)})
        )

    def priors_table(self) -> pd.DataFrame:
        """Return every prior that the model uses, and whether it is the spec's own or the default.

        Returns
        -------
        pandas.DataFrame
            One row a slot: parameter, prior, given (``"spec"`` or ``"default"``) and meaning.

        Examples
        --------
        >>> ls.load_spec("pooled_flops").priors_table()[["parameter", "prior", "given"]]
                 parameter                      prior    given
        0  benchmark_slope        Normal(mu=0, sigma=2)     spec
        1        intercept        Normal(mu=0, sigma=2)  default
        2        precision  LogNormal(mu=4.5, sigma=1)  default
        """
        import pandas as pd

        rows = [
            {
                "parameter": name,
                "prior": str(self.prior(name)),
                "given": "spec" if name in self.priors else "default",
                "meaning": PRIOR_SLOTS[name].meaning,
            }
            for name in self.used_priors()
        ]
        return pd.DataFrame(rows, columns=["parameter", "prior", "given", "meaning"])

    def default_priors(self) -> dict[str, str]:
        """Return the priors that the model uses and the spec does not give, as text by slot.

        Returns
        -------
        dict
            Texts such as ``"Normal(mu=0, sigma=1)"``, by slot.

        Examples
        --------
        >>> ls.load_spec("pooled_flops").default_priors()
        {'intercept': 'Normal(mu=0, sigma=2)', 'precision': 'LogNormal(mu=4.5, sigma=1)'}
        """
        return {
            name: str(self.prior(name)) for name in self.used_priors() if name not in self.priors
        }

    def unused_priors(self) -> tuple[str, ...]:
        """Return the priors that the spec sets for parameters its model does not have, sorted.

        Returns
        -------
        tuple of str
            Names of prior slots.

        Examples
        --------
        >>> power = ls.Prior("LogNormal", mu=0, sigma=0.4)
        >>> ls.load_spec("pooled_flops").with_priors({"link_power": power}).unused_priors()
        ('link_power',)
        """
        return tuple(sorted(set(self.priors) - set(self.used_priors())))

    def __hash__(self) -> int:
        return hash(self.to_json())

    def __str__(self) -> str:
        parts = [f"ModelSpec {self.name} ({self.digest})"]
        parts += [f"  {name}: {fact}" for name, fact in self.facts().items()]
        parts += [f"  {name}: {prior}" for name, prior in self._shown_priors().items()]
        return "\n".join(parts)

    def __repr__(self) -> str:
        return fitted_text(str(self).splitlines())

    def _shown_priors(self) -> dict[str, str]:
        """Return given priors, then defaults; marked where the model has no such parameter."""
        unused = self.unused_priors()
        given = {
            f"prior {name}": f"{prior} (not used)" if name in unused else str(prior)
            for name, prior in self.priors.items()
        }
        defaults = self.default_priors().items()
        return given | {f"default prior {name}": text for name, text in defaults}

    def facts(self) -> dict[str, str]:
        """Return a short description of each part of the model.

        Returns
        -------
        dict
            Texts by part: covariates, skills, family, benchmarks, and others that the spec uses.

        Examples
        --------
        >>> ls.load_spec("latentscale").facts()["covariates"]
        'log_params, log_tokens, log_params:log_tokens'
        """
        return facts_of(self)

    def _repr_html_(self) -> str:
        about = {"": self.description} if self.description else {}
        sources = {"sources": ", ".join(self.sources)} if self.sources else {}
        title = f"ModelSpec {self.name} ({self.digest})"
        return facts_table(title, {**about, **self.facts(), **self._shown_priors(), **sources})
