//! The codes of faults: each names one mistake for good.

use core::fmt;

/// Declares the codes by their numbers.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal;)*) => {
        /// Which mistake it is. The number is the area (hundreds) and the place in it; it never changes its meaning, and the number
        /// of a code that is gone is not used again.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        #[repr(u16)]
        pub enum Code {
            $($(#[$doc])* $name = $number,)*
        }

        impl Code {
            /// All of them, by number.
            pub const ALL: &'static [Code] = &[$(Code::$name,)*];
        }
    };
}

codes! {
    // 1xx: shapes.
    /// An operand has another number of axes than the operator takes.
    OperandRank = 101;
    /// Shapes do not broadcast.
    Broadcast = 102;
    /// A window is larger than what it slides over.
    KernelDoesNotFit = 103;
    /// `dense` over something that is not flat.
    FlattenFirst = 104;
    /// `dense` with `inputs` stated wrongly.
    InputFeatures = 105;
    /// The inner extents of a matrix product differ.
    InnerExtents = 106;
    /// Stacks of matrices do not fit together.
    StackedMatrices = 107;
    /// Joined arrays differ in more than one axis.
    ConcatExtents = 108;
    /// `reshape` to another number of elements.
    ReshapeElements = 109;
    /// `reshape` with a remainder that does not come out even.
    ReshapeDoesNotDivide = 110;
    /// `reshape` with two extents to be computed.
    ReshapeTwoUnknowns = 111;
    /// An axis that the tensor does not have.
    AxisOutOfRange = 112;
    /// A label of another shape than the scores ask for.
    LabelShape = 113;
    /// A target of another shape than the prediction.
    TargetShape = 114;
    /// A given weight has the wrong shape.
    WeightShape = 115;
    /// Channels that do not divide into groups.
    GroupsDoNotDivide = 116;
    /// An extent that does not divide into parts.
    SplitDoesNotDivide = 117;
    /// A slice that reaches outside.
    SliceOutside = 118;
    /// A slice of nothing.
    SliceEmpty = 119;
    /// `squeeze` of an axis that is not 1.
    SqueezeExtent = 120;
    /// `transpose` that does not name every axis once.
    NotAPermutation = 121;
    /// More axes than there can be.
    TooManyAxes = 122;
    /// More elements than any machine holds.
    TooLarge = 123;
    /// The mean or the maximum of nothing.
    NoElements = 124;
    /// A pooling window that would lie in the padding alone.
    PaddingTooLarge = 125;

    // 2xx: arguments and options.
    /// An option that the operator does not have.
    UnknownOption = 201;
    /// An option without a default is not given.
    MissingOption = 202;
    /// An option or an operand is given twice.
    GivenTwice = 203;
    /// An option has a value of another kind.
    OptionKind = 204;
    /// An option is out of bounds.
    OptionBounds = 205;
    /// A word that the option does not know.
    UnknownWord = 206;
    /// A tensor where an option stands.
    TensorForOption = 207;
    /// More arguments than the operator takes.
    TooManyArguments = 208;
    /// Fewer operands than the operator takes.
    MissingOperand = 209;
    /// A later operand is given, an earlier one is not.
    SkippedOperand = 210;
    /// `kernel: 3` for `kernel = 3`.
    ColonForOption = 211;
    /// `kernel == 3` for `kernel = 3`.
    ComparisonForOption = 212;
    /// A number among tensors.
    NumberAmongTensors = 213;
    /// A bias is given, and there is to be none.
    BiasGivenAndRefused = 214;
    /// Options that contradict each other.
    Contradiction = 215;

    // 3xx: names.
    /// A layer or an input that does not exist.
    UnknownName = 301;
    /// An operator or block that does not exist.
    UnknownOperator = 302;
    /// An operator of another library.
    OperatorElsewhere = 303;
    /// An operator without its parentheses.
    NotCalled = 304;
    /// An assignment to a name that does not exist.
    AssignedNotDeclared = 305;
    /// A constant of the file around the macro.
    ConstantOutside = 306;
    /// A layer with the name of a method.
    NameTaken = 307;
    /// Two items of one name.
    DuplicateItem = 308;
    /// Two inputs of one name.
    DuplicateInput = 309;
    /// A block with the name of an operator.
    NameOfAnOperator = 310;
    /// A parameter that the layer does not have.
    UnknownParameter = 311;
    /// A parameter of what is no layer.
    NotALayer = 312;
    /// A path where a name belongs.
    PathForAName = 313;
    /// A macro call.
    MacroCall = 314;
    /// A weight would get the name of another value.
    WeightNameTaken = 315;
    /// A constant that is not what the one outside is.
    ConstantDiffers = 316;

    // 4xx: types.
    /// A type that does not exist.
    UnknownType = 401;
    /// An element type that does not exist.
    UnknownElementType = 402;
    /// Two element types for one tensor.
    TwoElementTypes = 403;
    /// Operands of different element types.
    MixedElementTypes = 404;
    /// Integers where floating-point numbers are needed.
    NeedsFloats = 405;
    /// Truth values where numbers are needed.
    NeedsNumbers = 406;
    /// A number where a tensor belongs.
    NotATensor = 407;
    /// A fraction beside a tensor of integers.
    FractionBesideIntegers = 408;
    /// An integer and a number with a point.
    MixedNumbers = 409;
    /// Values that an operation cannot combine.
    CannotCombine = 410;
    /// An argument of a block, or a constant, of another type.
    ArgumentType = 411;
    /// A given weight of another element type.
    WeightType = 412;
    /// A parameter without a type.
    NoType = 413;
    /// An extent that is no number.
    ExtentKind = 414;
    /// An extent of 0, or one too large.
    ExtentBounds = 415;
    /// An input that is no tensor.
    InputNotATensor = 416;
    /// An input without extents.
    NoExtents = 417;
    /// `as`.
    NoConversion = 418;
    /// A number that 64 bits do not hold, or a division by 0.
    Overflow = 419;
    /// An argument of a block of another shape.
    ArgumentShape = 420;
    /// An argument of a block of another element type.
    ArgumentElementType = 421;

    // 5xx: blocks, loops, choices, results.
    /// A block has no input of this name.
    UnknownBlockInput = 501;
    /// A block gets too many arguments.
    TooManyBlockArguments = 502;
    /// A block lacks an argument.
    MissingBlockArgument = 503;
    /// A block calls itself.
    Recursion = 504;
    /// A block without a result.
    BlockWithoutResult = 505;
    /// A network with a small letter.
    SmallLetter = 507;
    /// A network without a result.
    NoResult = 508;
    /// A network returns something that is no tensor.
    ResultNotATensor = 509;
    /// A value that nobody uses.
    ValueNotUsed = 510;
    /// A network without inputs.
    NoInputs = 511;
    /// A loop with a bound that is no number.
    LoopBound = 512;
    /// A loop over something that is no list.
    NotAList = 513;
    /// A range outside of a loop.
    RangeOutsideLoop = 514;
    /// A condition that is neither true nor false.
    ConditionKind = 515;
    /// A condition that depends on a symbol.
    ConditionOnASymbol = 516;
    /// A choice without `else`.
    NoElse = 517;
    /// A tuple of another length.
    TupleLength = 518;
    /// Something that is no tuple is taken apart.
    NotATuple = 519;
    /// More calls than a network may have.
    TooManyCalls = 520;
    /// `while`, `match` and the like.
    ForeignKeyword = 521;
    /// `return`.
    Return = 522;
    /// `x[0]`.
    Indexing = 523;
    /// `x.0`.
    TupleField = 524;
    /// `?`.
    QuestionMark = 525;
    /// `fn f<N>(…)`.
    GenericParameters = 526;
    /// `use`, `struct` and the like inside the macro.
    ForeignItem = 527;
    /// An attribute at the wrong item.
    MisplacedAttribute = 528;
    /// An attribute that the language does not have.
    UnknownAttribute = 529;
    /// Nesting without end.
    TooDeep = 530;
    /// `[x; n]` of something else than a few numbers.
    RepeatedList = 531;
    /// An attribute of a layer that is not complete, or says nothing where it stands.
    LayerAttribute = 532;
    /// A layer on a device of its own.
    DeviceAttribute = 533;
    /// A default value at a place where it cannot stand.
    DefaultValue = 534;
    /// A `use` that names no network or block.
    ImportPath = 535;
    /// A later call of a block with weights of its own asks for others.
    WeightsNotShared = 536;
    /// `operator::new()`.
    InstanceOfOperator = 537;

    // 6xx: symbols and holes.
    /// A symbol that no input declares.
    UnknownSymbol = 601;
    /// A hole in the signature that nothing decides.
    OpenInput = 602;
    /// A hole in a layer that nothing decides.
    OpenLayer = 603;
    /// `same` where the padding would depend on a symbol.
    SameDependsOnASymbol = 604;
    /// A slice that begins at a symbol.
    SliceBeginsAtASymbol = 605;
    /// A symbol divided by a symbol.
    SymbolDivided = 606;

    // 7xx: gradients and memory.
    /// A derivative of 0 everywhere before a weight.
    NoGradient = 701;
    /// An operator that has no gradient for this call.
    GradientNotKnown = 702;
    /// A network that does not fit its memory.
    MemoryExceeded = 703;
    /// `#[memory]` that is not complete.
    MemoryAttribute = 704;
    /// An amount of memory in another unit.
    MemoryUnit = 705;
    /// `#[memory]` with a symbol that does not exist.
    MemoryUnknownSymbol = 706;
    /// `#[memory]` without a number for a symbol.
    MemoryMissingSymbol = 707;
    /// `MXR_PRINT` that is not understood.
    PrintVariable = 708;

    // 8xx: symbols bound at run time; what a bound network is fed and asked.
    /// A symbol that the network does not have.
    BoundUnknown = 801;
    /// A symbol without a number.
    BoundMissing = 802;
    /// A number that no symbol can have.
    BoundInvalid = 803;
    /// A symbol with two numbers.
    BoundTwice = 804;
    /// An array that no machine holds for these numbers.
    BoundTooLarge = 805;
    /// An input that the network does not have.
    FedUnknown = 806;
    /// An array of another shape than the input's.
    FedShape = 807;
    /// A parameter, gradient or state that the network does not have.
    NoParameter = 808;
    /// A backward pass without a forward pass before it.
    NothingToGoBack = 809;
    /// Training of a network that only predicts.
    OnlyPredicts = 810;

    // 9xx: grammar, half-typed code.
    /// A `;` is missing.
    NoSemicolon = 901;
    /// An expression is missing.
    NoExpression = 902;
    /// A parenthesis is not closed.
    Unclosed = 903;
    /// A name is missing.
    NoName = 904;
    /// `let a;`.
    NoValue = 905;
    /// `data.` without a method.
    NoMethod = 906;
    /// A method without its parentheses.
    NoParentheses = 907;
    /// An argument between two commas is missing.
    EmptyArgument = 908;
    /// A comma is missing.
    NoComma = 909;
    /// `for` without `in`.
    NoIn = 910;
    /// A body is missing.
    NoBody = 911;
    /// Something that is no item.
    NotAnItem = 912;
    /// A type is missing.
    NoTypeAfterColon = 913;
    /// An assignment to something that is no name.
    AssignedToNoName = 914;
    /// The inputs of a function are missing.
    NoParameters = 915;
    /// A literal that has no meaning here.
    ForeignLiteral = 916;
    /// A sign of another language.
    ForeignSign = 917;

    // 10xx: operators of the user's.
    /// An operator of the user's does not take what it is given.
    OperatorRefuses = 1001;
    /// The result that is stated of an operator of the user's is not what its shape rule gives.
    StatedShape = 1002;
    /// A declaration of an operator that does not say what comes out of it.
    OperatorResult = 1003;
    /// An option of an operator of the user's that is no constant.
    OperatorOption = 1004;
}

impl Code {
    /// The area, in hundreds, and the place in it.
    pub const fn number(self) -> u16 {
        self as u16
    }

    /// Whether it is about the grammar: something is missing or half-typed, and what it belongs to is not known yet.
    pub const fn is_grammar(self) -> bool {
        matches!(self.number(), 901..1000)
            || matches!(self, Code::NoType | Code::UnknownType | Code::RepeatedList)
    }

    /// The code that prints like this.
    ///
    /// ```
    /// use mxr_graph::catalogue::Code;
    /// assert_eq!(Code::find("MXR0103"), Some(Code::KernelDoesNotFit));
    /// assert_eq!(Code::find("E0308"), None);
    /// ```
    pub fn find(text: &str) -> Option<Code> {
        let number: u16 = text.strip_prefix("MXR")?.parse().ok()?;
        Code::ALL.iter().copied().find(|c| c.number() == number)
    }
}

/// `MXR0103`.
impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MXR{:04}", self.number())
    }
}
