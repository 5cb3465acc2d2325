"""Write the README's roadmap table from the notebooks, and keep the repository's address in step everywhere.

python extras/scripts/roadmap.py                                     # rewrite the table
python extras/scripts/roadmap.py --check                             # exit 1 if the table is not what it should be
python extras/scripts/roadmap.py --move https://github.com/owner/name   # the repository moved: restamp everything
"""

import argparse
import re
import sys
from pathlib import Path

import nbformat
from run import ROOT, find_notebooks, format_seconds

START, END = "<!-- roadmap: written by extras/scripts/roadmap.py -->", "<!-- end of roadmap -->"
BADGE = "https://colab.research.google.com/assets/colab-badge.svg"

# What is planned. A notebook that exists replaces its row by its own title, sentence, result and time.
PLAN = {
    "Foundations": {
        "foundations/01_what_is_deep_learning": (
            "What is deep learning?",
            "deep against classical learning, in seven experiments with computed verdicts",
        ),
        "foundations/02_perceptron": ("The perceptron", "one neuron, its theorem and its limits"),
        "foundations/03_multilayer_perceptron": ("The multilayer perceptron", "what a hidden layer buys"),
        "foundations/04_backpropagation": (
            "Backpropagation",
            "an autograd engine in a hundred lines that trains a network",
        ),
        "foundations/05_families_of_networks": (
            "Families of networks",
            "six architectures, each in 25 lines, each with the structure it exploits",
        ),
    },
    "Architectures": {
        "architectures/01_mlp": ("MLP", "signals through fifty layers, and tables against boosted trees"),
        "architectures/02_cnn": ("CNN", "convolution three ways, LeNet, a residual network"),
        "architectures/03_rnn": ("RNN", "backpropagation through time and a character model"),
        "architectures/04_lstm_gru": ("LSTM and GRU", "gates that remember, and an honest forecast of sunspots"),
        "architectures/05_attention": ("Attention", "attention from arrays, and what order is to it"),
        "architectures/06_transformer": ("Transformer", "a GPT that writes, its cache, and BERT"),
        "architectures/07_autoencoder": ("Autoencoder", "compress, denoise and detect anomalies, beside PCA"),
    },
    "Generative models": {
        "generative/01_gan": ("GAN", "a forger and a detective, and what makes them fail"),
        "generative/02_vae": ("VAE", "a latent space you can walk through, measured in nats"),
        "generative/03_diffusion": ("Diffusion", "noise turned into digits, and the score measured"),
    },
    "Training": {
        "training/01_loss_functions": ("Loss functions", "each from its likelihood, by hand and in torch"),
        "training/02_optimizers": ("Optimizers", "seven of them, step by step, in a fair race"),
        "training/03_regularization_dropout": ("Regularization and dropout", "overfitting made, measured and cured"),
        "training/04_batch_normalization": (
            "Batch normalization",
            "forward and backward by hand, and the bug everybody makes",
        ),
        "training/05_hyperparameter_tuning": ("Hyperparameter tuning", "grid, random, TPE and halving at equal cost"),
    },
    "Computer vision": {
        "applications/computer_vision/01_mnist": ("Handwritten digits", "the ladder from a linear model to 99.4 %"),
        "applications/computer_vision/02_cifar10": ("CIFAR-10", "a residual network, and what each trick is worth"),
        "applications/computer_vision/03_object_detection": ("Object detection", "YOLOv8's design, written out"),
    },
    "Reinforcement learning": {
        "applications/reinforcement_learning/01_rl_basics": (
            "RL basics",
            "bandits and grid worlds against their exact solutions",
        ),
        "applications/reinforcement_learning/02_dqn": (
            "DQN",
            "a pole balanced by Q-learning, each part switched off in turn",
        ),
        "applications/reinforcement_learning/03_ppo": ("PPO", "policy gradients that learn in seconds"),
    },
    "Later": {
        "applications/natural_language": (
            "Natural language and speech",
            "text generation, translation, sentiment, speech recognition",
        ),
        "applications/more": ("More applications", "segmentation, transfer learning, robotics, board games"),
        "tools": ("Tools", "PyTorch beside Keras, experiment tracking, deployment, distributed training"),
        "extras": ("Extras", "theory notes, paper notes, book summaries"),
    },
}


def repository() -> str:
    """Return the repository's address from its one place, pyproject.toml."""
    return re.search(r'^Repository = "(.+)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.M)[1]


def colab_url(path: str) -> str:
    """Return the address that opens a notebook of this repository, given by its path, in Colab."""
    return (
        f"{repository().replace('https://github.com/', 'https://colab.research.google.com/github/')}/blob/main/{path}"
    )


def read_card(path: Path) -> dict[str, str]:
    """Return title, sentence, result and CPU time of a finished notebook."""
    nb = nbformat.read(path, as_version=4)
    lines = [line.strip() for line in nb.cells[0].source.splitlines() if line.strip()]
    shown = [o for c in nb.cells if "result" in c.metadata.get("tags", []) for o in c.outputs if "text" in o]
    seconds = nb.metadata.get("dlutils", {}).get("seconds", 0.0)
    return {
        "title": lines[0].removeprefix("# "),
        "sentence": lines[1],
        "result": "".join(o.text for o in shown if o.get("name") != "stderr").strip().replace("|", "\\|"),
        "time": format_seconds(seconds),
    }


def _row(name: str, title: str, sentence: str) -> str:
    path = f"{name}.ipynb"
    if not (ROOT / path).is_file():
        return f"| {title} | {sentence} | *planned* | | |"
    card = read_card(ROOT / path)
    badge = f"[![Open in Colab]({BADGE})]({colab_url(path)})"
    return f"| [{card['title']}]({path}) | {card['sentence']} | {card['result']} | {card['time']} | {badge} |"


def table() -> str:
    """Return the whole roadmap as Markdown.

    Raises:
        SystemExit: a notebook stands in the repository but not in PLAN.
    """
    known = {name for rows in PLAN.values() for name in rows}
    found = {path.relative_to(ROOT).with_suffix("").as_posix() for path in find_notebooks()}
    if found - known:
        raise SystemExit(f"add to PLAN in extras/scripts/roadmap.py: {', '.join(sorted(found - known))}")
    parts = [START]
    for branch, rows in PLAN.items():
        parts += [
            f"\n### {branch}\n",
            "| Lesson | What you build and see | Result here | CPU time | |",
            "|---|---|---|---|---|",
        ]
        parts += [_row(name, *texts) for name, texts in rows.items()]
    return "\n".join([*parts, "", END])


def rewrite(readme: Path = ROOT / "README.md") -> tuple[str, str]:
    """Return the README as it stands and as it should be."""
    old = readme.read_text(encoding="utf-8")
    if START not in old or END not in old:
        raise SystemExit(f"{readme.name} has lost the lines {START!r} and {END!r}: put them back around the roadmap")
    before, after = old.split(START)[0], old.split(END)[1]
    return old, before + table() + after


def move(new: str) -> list[Path]:
    """Replace the repository's address, and its Colab form, in every file that names it; return those files."""
    if not re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", new):
        raise SystemExit(f"the address must look like https://github.com/owner/name, not {new!r}")
    old = repository().removeprefix("https://github.com/")
    texts = [ROOT / n for n in ("pyproject.toml", "README.md", "CONTRIBUTING.md", ".devcontainer/devcontainer.json")]
    changed = []
    for path in [p for p in texts if p.is_file()] + find_notebooks():
        text = path.read_text(encoding="utf-8")
        if f"github.com/{old}" in text or f"com/github/{old}" in text:
            text = re.sub(
                rf"(com/)((?:github/)?){re.escape(old)}\b",
                rf"\g<1>\g<2>{new.removeprefix('https://github.com/')}",
                text,
            )
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if the table is stale")
    parser.add_argument("--move", metavar="ADDRESS", help="the repository's new address")
    args = parser.parse_args()
    if args.move:
        print(*move(args.move), sep="\n")
    old, new = rewrite()
    if args.check:
        print("the README's roadmap is fresh" if old == new else "the README's roadmap is stale: run  make roadmap")
        return int(old != new)
    (ROOT / "README.md").write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
