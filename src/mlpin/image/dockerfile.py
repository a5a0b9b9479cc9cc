"""A Dockerfile (or Containerfile) → the image that it starts from, as far as the matrix knows it."""

from __future__ import annotations

from functools import partial

from mlpin.errors import InputError
from mlpin.image.changes import after
from mlpin.image.model import Image, machine_of, without_credentials
from mlpin.image.parse import Dockerfile, Stage, parse
from mlpin.image.variables import expanded
from mlpin.matrix.images import PACKAGES, Reference, distribution, find
from mlpin.matrix.matrix import Matrix


class _Reader:
    def __init__(self, file: Dockerfile, shown: str, rules: Matrix) -> None:
        self.file = file
        self.shown = shown
        self.rules = rules
        self._built: dict[int, Image] = {}

    def stage(self, wanted: str) -> int:
        """The position of a stage by its name or number; of the last one where none is wanted. Raises `InputError`."""
        stages = self.file.stages
        if not wanted:
            return len(stages) - 1
        for position, stage in reversed(list(enumerate(stages))):
            if wanted.lower() == stage.name or wanted == str(position):
                return position
        names = ", ".join(f"`{stage.name}`" for stage in stages if stage.name)
        raise InputError(
            f"there is no stage `{wanted}` in it",
            where=self.shown,
            hint=f"it has {names}" if names else "none of its stages has a name; they are counted from 0",
        )

    def built(self, position: int) -> Image:
        """The image that a stage makes."""
        if position not in self._built:
            self._built[position] = self._build(position)
        return self._built[position]

    def _build(self, position: int) -> Image:
        chain = [position]
        while (below := self._earlier(self._base(self.file.stages[chain[-1]])[0] or "", chain[-1])) is not None:
            chain.append(below)
        image = self._from(self.file.stages[chain[-1]])
        machine = next((found for at in chain if (found := self._machine(self.file.stages[at]))), "")
        image = image._replace(machine=machine)
        system, python = "", ""
        for at in reversed(chain):
            for one in self.file.stages[at].instructions:
                if image.system != system:
                    system, python = image.system, self._python(image.system)
                image = after(image, one, partial(self._other, before=at), python)
        return image

    def _python(self, system: str) -> str:
        release = distribution(self.rules.distributions, system)
        return release.python if release else ""

    def _base(self, stage: Stage) -> tuple[str | None, str]:
        return expanded(stage.base, self.file.arguments)

    def _machine(self, stage: Stage) -> str:
        return machine_of(expanded(stage.platform, self.file.arguments)[0] or "")

    def _earlier(self, name: str, before: int) -> int | None:
        for position in range(before - 1, -1, -1):
            if name and self.file.stages[position].name == name.lower():
                return position
        return None

    def _other(self, name: str, before: int) -> Image | None:
        """What `COPY --from` names: an earlier stage by name or number, or an image."""
        found = int(name) if name.isdigit() and int(name) < before else self._earlier(name, before)
        if found is not None:
            return self.built(found)
        made = expanded(name, self.file.arguments)[0]
        return known_image(made, self.shown, 0, self.rules) if made else None

    def _from(self, stage: Stage) -> Image:
        base, why = self._base(stage)
        if base is None:
            subject = f"the base image `{without_credentials(stage.base)}`"
            return Image(subject, self.shown, stage.line, notes=(f"{subject} {why}",))
        return known_image(base, self.shown, stage.line, self.rules)


def known_image(named: str, shown: str, line: int, rules: Matrix) -> Image:
    """What the matrix knows of an image by its name."""
    named = without_credentials(named)
    reference = Reference.parse(named.removeprefix("****@"))
    image = Image(f"the base image `{named}`", shown, line)
    if named.lower() == "scratch":
        return image._replace(notes=("it starts from `scratch`, so what is in the image is not known",))
    found = find(rules.images, reference)
    if found is None:
        why = " by its digest alone" if reference.digest and not reference.tag else ""
        return image._replace(notes=(f"what is in the base image `{named}` is not known{why}",))
    entry, facts = found
    system = facts.get("system", "")
    release = distribution(rules.distributions, system)
    glibc = release.glibc if release else ""
    python, cuda = facts.get("python", ""), facts.get("cuda", "")
    minor = ".".join(cuda.split(".")[:2])
    return image._replace(
        system=system,
        libc=facts.get("libc", "") or ("glibc" if glibc else ""),
        glibc=glibc,
        pythons=(python,) if python else (),
        for_python=entry.for_python,
        cuda=cuda,
        cudnn=facts.get("cudnn", ""),
        nvcc=facts.get("nvcc", ""),
        packages=tuple((name, facts[name]) for name in PACKAGES if name in facts),
        branches=dict(entry.branches).get(minor),
    )


def read(text: str, shown: str, stage: str, rules: Matrix) -> Image:
    """The image that a stage of a Dockerfile makes, before anything locked is installed. Raises `InputError`."""
    file = parse(text)
    if not file.stages:
        raise InputError("there is no FROM in it, so it is no Dockerfile", where=shown)
    reader = _Reader(file, shown, rules)
    return reader.built(reader.stage(stage))
