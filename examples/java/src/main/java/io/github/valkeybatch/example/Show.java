package io.github.valkeybatch.example;

import com.google.rpc.BadRequest;
import com.google.rpc.BadRequest.FieldViolation;
import com.google.rpc.Code;
import com.google.rpc.ErrorInfo;
import com.google.rpc.Status;
import io.github.valkeybatch.v1.Value;
import java.util.List;
import java.util.stream.Collectors;

/** Replies and statuses as text. */
final class Show {
  private Show() {}

  /**
   * A reply of any type. A string reply of a command given as args is bytes, whatever it holds; only
   * the program knows that these are text.
   */
  static String value(Value v) {
    return switch (v.getKindCase()) {
      case NULL_VALUE -> "null";
      case STRING_VALUE -> v.getStringValue();
      case BYTES_VALUE -> v.getBytesValue().toStringUtf8();
      case INTEGER_VALUE -> Long.toString(v.getIntegerValue());
      case DOUBLE_VALUE -> Double.toString(v.getDoubleValue());
      case BOOLEAN_VALUE -> Boolean.toString(v.getBooleanValue());
      case BIG_NUMBER_VALUE -> v.getBigNumberValue();
      case VERBATIM_VALUE -> v.getVerbatimValue().getData().toStringUtf8();
      case ARRAY_VALUE -> "[" + values(v.getArrayValue().getElementsList()) + "]";
      case SET_VALUE -> "{" + values(v.getSetValue().getMembersList()) + "}";
      case MAP_VALUE -> // a list of entries and no java.util.Map: keys may be of any type
          v.getMapValue().getEntriesList().stream()
              .map(e -> value(e.getKey()) + ": " + value(e.getValue()))
              .collect(Collectors.joining(", ", "{", "}"));
      case ERROR_VALUE -> v.getErrorValue().getMessage();
      case KIND_NOT_SET -> "?"; // a kind that a newer server knows
    };
  }

  static String values(List<Value> values) {
    return values.stream().map(Show::value).collect(Collectors.joining(", "));
  }

  /** A status's code, the service's reason and the fields that are wrong. */
  static String status(Status status) {
    String text = String.valueOf(Code.forNumber(status.getCode()));
    text += Details.find(status, ErrorInfo.class).map(info -> ", " + info.getReason()).orElse("");
    for (FieldViolation v : Details.find(status, BadRequest.class).orElse(BadRequest.getDefaultInstance()).getFieldViolationsList()) {
      text += ": " + v.getField();
    }
    return text;
  }
}
