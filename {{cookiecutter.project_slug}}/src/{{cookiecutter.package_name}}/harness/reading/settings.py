"""What is looked for: each setting's words, its keys in ``configs/``, and which values it can have."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Number:
    """A setting that is a number.

    Args:
        keys: where ``configs/`` may have it.
        name: a pattern of its name, before the number: "learning rate of 0.1".
        unit: a pattern of its name after the number: "300 epochs", "0.1 dropout".
        low: the smallest sensible value.
        high: the largest.
        whole: whether it is a whole number.
        needs: what the sentence must also say.
        never: what stands beside the name when it means something else.
    """

    keys: tuple[str, ...]
    name: str
    unit: str
    low: float
    high: float
    whole: bool = False
    needs: str = ""
    never: str = ""


@dataclass(frozen=True)
class Word:
    """A setting that is one of several words: each as ``configs/`` writes it, with the pattern of what papers write."""

    keys: tuple[str, ...]
    options: dict[str, str]
    needs: str = ""
    never: str = ""


TRAINING = r"\b(?:pre-?|fine-?)?(?:train|tun|optimi[sz]|learn|minimi[sz]|updat|run\b|iterat|fit)"
NEVER = r"(?!)"  # matches nothing
RATE = r"(?:learning[- ]rates?|step ?sizes?|\bLR\b|\blr\b)"
SETTINGS: dict[str, Number | Word] = {
    "learning rate": Number(
        ("optimizer.lr",),
        rf"{RATE}(?:\s*\(?(?:α|η|lr|γ|LR)\)?)?",
        rf"(?:(?:peak|initial|base|maximum|constant|fixed)\s)*{RATE}",
        1e-8,
        10,
        never=r"(?:decay|warm|schedul|divid|reduc|drop|factor|decreas|inner|outer|meta)",
    ),
    "weight decay": Number(
        ("optimizer.weight_decay",),
        r"(?:weight decay|L2[- ](?:regulari[sz]ation|penalty|weight decay))",
        r"(?:weight decay|\(L2 regulari[sz]ation)",
        1e-9,
        1,
    ),
    "momentum": Number(("optimizer.momentum",), r"momentum", r"momentum", 0.1, 0.9999, never=r"(?:encoder|contrast|batch norm|norm)"),
    "beta1": Number(("optimizer.betas",), r"(?:β|beta)_?\s?\{?1\}?(?:,\s*(?:β|beta)_?\s?\{?2\}?\)?)?", NEVER, 0, 0.9999),
    "beta2": Number(("optimizer.betas",), r"(?:(?:β|beta)_?\s?\{?1\}?,\s*(?:β|beta)_?\s?\{?2\}?\)?\s?=\s?\(?[\d.]+\s?,|(?:β|beta)_?\s?\{?2\}?)", NEVER, 0.5, 0.99999),
    "epsilon": Number(("optimizer.eps",), r"(?:[εϵ]|epsilon|eps)", NEVER, 1e-16, 1e-3, needs=r"Adam|RMSProp|optimi|β"),
    "batch size": Number(
        ("data.batch_size",),
        r"(?:(?:mini-?\s?)?batch(?:es)?[- ]?sizes?|(?:mini-?\s?)batch(?:es)? of|batch(?:es)? of(?: size)?)",
        r"(?:mini-?\s?batch(?:es)? size|batch size|(?:sequences|images|samples|examples|sentences) per (?:mini-?)?batch)",
        1,
        1e7,
        whole=True,
    ),
    "epochs": Number(("trainer.max_epochs",), r"(?:number of )?(?:training )?epochs", r"(?:training )?epochs?\b", 1, 1e5, True, TRAINING),
    "steps": Number(
        ("trainer.max_steps",),
        r"(?:number of )?(?:training|gradient|optimi[sz]ation|total) (?:steps|iterations|updates)",
        r"(?:(?:training|gradient|gradient descent|optimi[sz]ation|total|mini-?batch|SGD|parameter) )*(?:steps|iterations|updates)\b",
        20,
        1e8,
        True,
        TRAINING,
        never=r"(?:warm-?up|every|environment|time|first|at|after|diffusion|decoding|inner|last|about)",
    ),
    "warm-up steps": Number(
        ("scheduler.warmup_steps",),
        r"(?:warm-?\s?up[_ ](?:steps|iterations|updates|period)|(?:learning )?(?:rate )?warm-?\s?up (?:of|over|for)(?: the first)?|steps (?:of )?warm-?up"
        r"|(?:increas|warm|linear)[^.;0-9]{0,60}(?:over|for|during|in|within) the first)",
        r"(?:steps of |linear |learning rate |iterations of |step )?(?:warm-?\s?up)(?: steps| iterations| updates)?",
        10,
        1e6,
        True,
    ),
    "gradient clipping": Number(
        ("trainer.gradient_clip_val",),
        r"(?:(?:gradient|grad|norm)s?[- ](?:norm )?clip(?:ping|ped)?(?: norm)?|clip(?:ping|ped)?\b[^.;,]{0,40}?\bnorms?\b[^.;,0-9]{0,25}?"
        r"|gradients? (?:is|are|was|were) clipped)",
        r"gradient clipping",
        1e-3,
        1e4,
    ),
    "dropout": Number(
        ("model.dropout",),
        r"(?:dropouts?(?: (?:rate|prob(?:ability)?|ratio|layers?))?(?:\s?\(?P_?drop\)?)?|P_?\s?drop)",
        r"(?:dropout|\(dropout rate)",
        0,
        0.95,
        never=r"(?:variational|path|drop path|layer)",
    ),
    "label smoothing": Number(("loss.smoothing",), r"label[- ]smoothing(?: of)?(?: value)?(?: ?[εϵ](?:_?ls)?)?", r"label[- ]smoothing", 1e-4, 0.9),
    "EMA decay": Number(
        ("callbacks.ema.decay",),
        r"(?:(?:EMA|exponential(?:ly)? moving averag\w*|Polyak averag\w*)[^.;0-9]{0,60}?(?:decay|momentum|rate|factor|constant|weight)(?: rate| factor)?)",
        r"EMA(?: decay)?",
        0.5,
        0.999999,
    ),
    "temperature": Number(("loss.temperature",), r"temperature(?: parameter)?(?:\s?\(?[τT]\)?)?", NEVER, 1e-3, 100, never=r"(?:sampling|sample|decod)"),
    "number of runs": Number((), NEVER, r"(?:random|different|independent)?\s?(?:random )?(?:seeds|runs|trials|random initiali[sz]ations)\b", 2, 1000, True),
    "layers": Number(
        ("model.n_layers", "model.depth"),
        r"(?:number of (?:hidden |transformer )?(?:layers|blocks)|n_layers)",
        r"(?:identical |hidden |transformer |encoder |self-attention |LSTM )+(?:layers|blocks)\b",
        1,
        2000,
        True,
        never=r"(?:first|last|next|previous|top|other|these|those|layers?|output)",
    ),
    "hidden size": Number(
        ("model.d_model", "model.width"),
        r"(?:hidden (?:layer )?(?:size|dimension|width|state size)s?|d_?\s?model|model dimension|embedding (?:size|dimension)s?|hidden units)",
        r"(?:\(?(?:number of )?hidden (?:units|neurons|dimensions?|layer size)|[- ]?dimensional (?:hidden )?(?:states?|embeddings?))",
        2,
        1e6,
        True,
    ),
    "feed-forward size": Number(
        ("model.d_ff",),
        r"(?:d_?\s?ff\b|(?:feed-?\s?forward|FFN|inner|MLP)[- ](?:inner )?(?:layer )?(?:size|dimension(?:ality)?|hidden size)|inner states)",
        r"[- ]?dimensional inner states",
        2,
        1e6,
        True,
    ),
    "heads": Number(
        ("model.n_heads",),
        r"number of (?:self-)?(?:attention )?heads|(?-i:\bh\b)(?= ?= ?\d)",
        r"(?:parallel |self-attention |attention )*(?:layers, or )?heads\b",
        1,
        512,
        True,
        needs=r"\bheads\b",
    ),
    "optimizer": Word(
        ("/optimizer",),
        {
            "adamw": r"\bAdamW\b|Adam with decoupled weight decay",
            "adam": r"\b(?:Adam|ADAM)\b(?!-)",
            "rmsprop": r"\bRMS-?[Pp]rop\b",
            "adafactor": r"\bAdafactor\b",
            "adagrad": r"\bAda[Gg]rad\b",
            "lamb": r"\bLAMB\b",
            "lbfgs": r"\bL-?BFGS\b",
            "sgd": r"\bSGD\b(?![- ]based)|\bstochastic gradient descent\b|\bNesterov\b|\bmomentum SGD\b",
        },
        needs=r"\b(?:us(?:e|ed|ing)|train(?:ed|ing)?|optimi[sz](?:e|ed|er|ing|ation)|employ(?:ed)?|adopt(?:ed)?|minimi[sz]ed?)\b",
        never=r"(?:compar|unlike|instead of|rather than|outperform|than|versus|vs\.|alternative|such as|variants? of|like|introduced"
        r"|typically|usually|commonly|often|standard|future|scenario|between)",
    ),
    "schedule": Word(
        ("/scheduler",),
        {
            "cosine": r"\bcosine\b(?=[^.;]{0,30}\b(?:decay|anneal|schedul|learning|rate))|(?:decay|anneal|schedul|learning rate)\w*[^.;]{0,30}\bcosine\b",
            "inverse_sqrt": r"inverse square[- ]root|inverse sqrt|reciprocal square[- ]root",
            "linear": r"\blinear(?:ly)?\b[^.;]{0,40}\bdecay\w*|\blinear(?:ly)? anneal\w*|\banneal\w* linearly|\bdecay\w* (?:\w+ ){0,4}linear(?:ly)?",
            "step": r"\b(?:divided|divid\w+|decreas\w+|reduc\w+|decay\w*|dropped|multipl\w+|anneal\w*|scaled)\b[^.;]{0,60}"
            r"\b(?:by (?:a factor of )?(?:10|ten|0\.1|2|two|half)\b|in half)|\bhalved\b",
            "constant": r"\b(?:constant|fixed) learning rate\b",
        },
        needs=r"learning rate|step ?size|\bLR\b|\blr\b|schedul",
        never=r"(?:similarity|distance)",
    ),
    "precision": Word(
        ("trainer.precision",),
        {"bf16-mixed": r"\bbf(?:loat)?16\b", "16-mixed": r"\bmixed[- ]precision\b|\bfp16\b|\bhalf[- ]precision\b", "64-true": r"\bdouble precision\b|\bfloat64\b"},
        needs=TRAINING,
    ),
    "activation": Word(
        (),
        {name.lower(): rf"\b{name}s?\b" for name in ("GELU", "SwiGLU", "GEGLU", "SiLU", "Swish", "LeakyReLU", "ELU", "ReLU", "PReLU", "softplus")}
        | {"tanh": r"\btanh\b|\bhyperbolic tangent\b"},
        needs=r"activation|non-?linearit|\bunits\b",
        never=r"(?:compar|unlike|instead of|rather than|such as|other|commonly|replac)",
    ),
    "initialisation": Word(
        (),
        {
            "xavier": r"\b(?:Xavier|Glorot)\b",
            "kaiming": r"\b(?:Kaiming|He) (?:normal |uniform )?initiali[sz]|initiali[sz]\w+[^.;]{0,40}(?:as in \[13\])?\bKaiming\b",
            "orthogonal": r"\borthogonal(?:ly)?\b",
            "normal": r"\b(?:truncated )?(?:normal|Gaussian)\b(?: distribution)?|\bN ?\(0, ?0\.\d+\)",
        },
        needs=r"initiali[sz]",
        never=r"(?:noise|prior|latent)",
    ),
    "augmentation": Word(
        (),
        {
            "horizontal flip": r"\b(?:horizontal|random|left-right) ?(?:horizontal )?flip\w*|\bhorizontal reflections?|\bflipped horizontally|\bits horizontal flip",
            "random crop": r"\brandom(?:ly)?[- ](?:resized[- ])?(?:sampled )?crop\w*|\bcrop is randomly sampled",
            "colour": r"\bcolou?r (?:jitter|augmentation|distortion)\w*",
            "mixup": r"\bmix-?up\b",
            "cutmix": r"\bcutmix\b",
            "RandAugment": r"\brand-?augment\b",
            "AutoAugment": r"\bauto-?augment\b",
            "cutout": r"\bcut-?out\b|\brandom erasing\b",
        },
    ),
    "hardware": Word((), {"": r"\b(?:\d+|single|one|two|four|eight|sixteen)\s(?:(?!days|hours|weeks|on\b|with\b|and\b|of\b)[\w-]+\s){0,3}(?:GPUs?|TPUs?(?:[- ]?v\d)?(?: chips| cores| Pods?)?)\b"}, needs=TRAINING),
}
DATASETS = re.compile(
    r"\b(ImageNet(?:-\d+k|-1K|-21K)?|CIFAR-?100|CIFAR-?10|MNIST|SVHN|COCO|MS COCO|PASCAL VOC(?: 20\d\d)?|LSUN|CelebA(?:-HQ)?|WMT ?\d{2,4}"
    r"|SQuAD(?: v?\d\.\d)?|GLUE|SuperGLUE|MultiNLI|BookCorpus|BooksCorpus|WikiText-\d+|Penn Treebank|enwik8|C4|The Pile|LAMBADA|HellaSwag"
    r"|Cora|Citeseer|Pubmed|NELL|MuJoCo|Mujoco|Atari|OpenAI Gym|JFT-\d+M|VTAB|Places\d*|Omniglot|Mini-?ImageNet|KITTI(?:3D)?|nuScenes|MovieLens|LibriSpeech)\b"
)
METRICS = re.compile(
    r"\b(top-[15](?: \w+){0,1} (?:error|accuracy)|accuracy|F1|BLEU|perplexity|FID|Inception Score|mAP|AUC|AP|RMSE|MSE|MAE|NLL"
    r"|log-?likelihood|ROUGE(?:-\w)?|IoU|precision|recall|R2-Score|return|reward)\b"
)
NOT_DESCRIBED = re.compile(
    r"\b(?:details|hyper-?parameters|settings|proofs?|results|experiments?)\b[^.]{0,60}\b(?:in|see) (?:the |our )?"
    r"(?:supplement\w*(?: \w+)?|appendix|online|longer version|code|technical report)\b|\bomitted\b|\bfor (?:lack of space|brevity)\b",
    re.I,
)
LINK = re.compile(r"(?:https?://|www\.|github\.com/)[^\s,;)\]}>'\"]*[\w/]")
